#!/usr/bin/env bash
# Makes a venv with databricks-sdk, the foreign client of the fake workspace's tests, once; prints SDK_PYTHON=… to eval. It lies
# in .cache/ of the clone, or in $LAKEFORGE_CACHE.
set -euo pipefail

sdk='databricks-sdk==0.156.0'
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
cache="${LAKEFORGE_CACHE:-$here/../../../../.cache}"
mkdir -p "$cache"
cache="$(cd "$cache" && pwd)"
venv="$cache/sdk-venv"

exec 9>"$cache/foreign-env.lock"
flock 9
if [ "$(cat "$venv/.pins" 2>/dev/null)" != "$sdk" ]; then
  rm -rf "$venv"
  python3 -m venv "$venv"
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check "$sdk" >&2
  echo "$sdk" >"$venv/.pins"
fi
echo "SDK_PYTHON=$venv/bin/python"

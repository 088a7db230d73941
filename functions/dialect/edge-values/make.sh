#!/usr/bin/env bash
# Asks a real Spark for the answers to cases/*.json and writes answers/*.json. Run it after changing a case; it sets up its
# Python environment by itself. Names of case files as arguments limit it to those.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
environment="$("$here/../../../notebooks/setup-env.sh")"
python="$(sed -n 's/^SPARK_PYTHON=//p' <<<"$environment")"
TZ=UTC exec "$python" "$here/make.py" "$@"

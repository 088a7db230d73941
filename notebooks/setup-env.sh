#!/usr/bin/env bash
# Makes the Python environment of the notebooks' tests and of the dialect's edge values, once: a venv with what pyproject.toml
# pins, and Delta's jars (Spark's own download of jars knows one registry only; Maven uses the machine's settings).
# Prints lines to eval: SPARK_PYTHON (the venv's python), DELTA_JARS and JDBC_JARS (comma-separated paths for `spark.jars`).
# Everything lies in .cache/ of the clone, or in $LAKEFORGE_CACHE, so that several clones can share it.
set -euo pipefail

here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
cache="${LAKEFORGE_CACHE:-$here/../.cache}"
mkdir -p "$cache"
cache="$(cd "$cache" && pwd)"
venv="$cache/spark-venv"
jars="$cache/delta-jars"
project="$here/pyproject.toml"
# Raise the number when this script installs differently from the same pins.
pins="1 $(sha256sum <"$project" | cut -c1-16)"

say() { echo "setup-env: $*" >&2; }
need() { command -v "$1" >/dev/null || { say "$1 is missing: $2"; exit 1; }; }
need python3 "install Python 3.11 or newer, with venv"
need java "install a Java 17 runtime (Debian: openjdk-17-jre-headless)"

# Two callers at once would install into one venv: the second waits and then finds it done.
exec 9>"$cache/setup-env.lock"
flock 9

if [ "$(cat "$venv/.pins" 2>/dev/null)" != "$pins" ]; then
  say "making $venv (about 500 MB, some minutes the first time)"
  rm -rf "$venv"
  python3 -m venv "$venv"
  "$venv/bin/python" - "$project" >"$venv/requirements.txt" <<'PY'
import sys, tomllib
with open(sys.argv[1], "rb") as file:
    print("\n".join(tomllib.load(file)["project"]["dependencies"]))
PY
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check -r "$venv/requirements.txt" >&2
  echo "$pins" >"$venv/.pins"
fi

if [ "$(cat "$jars/.pins" 2>/dev/null)" != "$pins" ]; then
  need mvn "install Maven (Debian: maven)"
  say "fetching Delta's jars into $jars"
  rm -rf "$jars"
  mkdir -p "$jars"
  read -r spark delta < <("$venv/bin/python" -c 'from importlib.metadata import version as v; print(".".join(v("pyspark").split(".")[:2]), v("delta-spark"))')
  cat >"$jars/pom.xml" <<XML
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>lakeforge</groupId>
  <artifactId>delta-jars</artifactId>
  <version>1</version>
  <packaging>pom</packaging>
  <dependencies>
    <dependency>
      <groupId>io.delta</groupId>
      <artifactId>delta-spark_${spark}_2.13</artifactId>
      <version>${delta}</version>
    </dependency>
  </dependencies>
</project>
XML
  # Delta's own jars only: what else it asks for, Spark has among its jars already, in the versions that fit Spark.
  mvn --quiet --batch-mode -Dstyle.color=never -f "$jars/pom.xml" \
    org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies \
    -DoutputDirectory="$jars" -DincludeGroupIds=io.delta,io.unitycatalog >&2
  ls "$jars"/delta-*.jar >/dev/null
  echo "$pins" >"$jars/.pins"
fi

# Databases are read by their own drivers; PostgreSQL's is the one that is tested here.
driver="org.postgresql:postgresql:42.7.7"
drivers="$cache/jdbc-jars"
if [ "$(cat "$drivers/.pins" 2>/dev/null)" != "$driver" ]; then
  need mvn "install Maven (Debian: maven)"
  say "fetching $driver"
  rm -rf "$drivers"
  mkdir -p "$drivers"
  mvn --quiet --batch-mode -Dstyle.color=never org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy \
    -Dartifact="$driver" -DoutputDirectory="$drivers" >&2
  echo "$driver" >"$drivers/.pins"
fi

# What Spark's declarative pipelines ask for beyond Spark, apart from the rest: nothing else needs them.
pipelines="PyYAML==6.0.3 grpcio==1.85.1 grpcio-status==1.85.1 googleapis-common-protos==1.76.0 zstandard==0.25.0 pandas==2.3.3 pyarrow==26.0.1"
packages="$cache/spark-pipelines"
if [ "$(cat "$packages/.pins" 2>/dev/null)" != "$pipelines" ]; then
  say "making $packages"
  rm -rf "$packages"
  # shellcheck disable=SC2086
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --target "$packages" $pipelines >&2
  echo "$pipelines" >"$packages/.pins"
fi

echo "SPARK_PYTHON=$venv/bin/python"
echo "SPARK_PIPELINES=$packages"
echo "JDBC_JARS=$(find "$drivers" -name '*.jar' | sort | paste -sd, -)"
echo "DELTA_JARS=$(find "$jars" -name '*.jar' | sort | paste -sd, -)"

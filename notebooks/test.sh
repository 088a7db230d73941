#!/usr/bin/env bash
# Everything that needs Python and Java: the notebooks' library and the notebooks on a local Spark, the spark engine, and the
# parity of tables with the local engine. Sets up its environment by itself, once. Arguments go to pytest.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
eval "$(bash "$here/setup-env.sh")"
export LAKEFORGE_SPARK=1 LAKEFORGE_SPARK_PYTHON="$SPARK_PYTHON" LAKEFORGE_SPARK_JARS="$DELTA_JARS,$JDBC_JARS"
export PYSPARK_PYTHON="$SPARK_PYTHON" SPARK_PIPELINES TZ=UTC PYTHONDONTWRITEBYTECODE=1
cd "$here"
"$SPARK_PYTHON" -m ruff check .
"$SPARK_PYTHON" -m ruff format --check --exclude lakeforge/content_hash.py .
"$SPARK_PYTHON" -m pytest -q -p no:cacheprovider "$@"
cd ..
# A cold Spark on a busy machine takes its minutes.
exec npx vitest run --config functions/vitest.config.ts --project functions --testTimeout=400000 --hookTimeout=400000 functions/engine/spark functions/engine/parity

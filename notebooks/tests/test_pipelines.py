"""The declarative pipeline on Spark's own runner: its graph passes the dry run, and it is executed with expectations applied.
That Databricks accepts it too, with its own expectations and AUTO CDC, isn't shown here."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import TINY, plan, rule, run_notebook

NOTEBOOKS = Path(__file__).parent.parent
PACKAGES = os.environ.get("SPARK_PIPELINES")
SEQUENCE = {"has_sequence": True, "sequence_type": "int", "sequence_column": "at", "keys": ["id"]}
WITH_SEQUENCE = "select id, name, at, at as __sequence from b.events"

pytestmark = pytest.mark.skipif(PACKAGES is None, reason="SPARK_PIPELINES names no packages")


def run_pipelines(
    folder: Path, command: str, root: str, plan_path: str
) -> subprocess.CompletedProcess:
    spec = folder / "spark-pipeline.yml"
    spec.write_text(
        json.dumps(
            {
                "name": "lakeforge",
                "storage": f"file://{folder}/storage",
                "catalog": "spark_catalog",
                "database": "default",
                "configuration": {"lakeforge.plan": plan_path, "lakeforge.root": root},
                "libraries": [{"glob": {"include": "silver_gold_pipeline.py"}}],
            }
        )
    )
    (folder / "silver_gold_pipeline.py").write_text(
        (NOTEBOOKS / "silver_gold_pipeline.py").read_text()
    )
    settings = {
        # Spark keeps jars of `spark.jars` from a session that a client opens.
        "spark.driver.extraClassPath": os.environ["LAKEFORGE_SPARK_JARS"].replace(",", ":"),
        "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
        "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
        "spark.sql.warehouse.dir": f"{folder}/warehouse",
        "spark.sql.shuffle.partitions": "2",
        "spark.sql.ansi.enabled": "true",
        "spark.sql.session.timeZone": "UTC",
        "spark.driver.memory": "1g",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
        "spark.ui.enabled": "false",
        **dict(each.split("=", 1) for each in TINY.split(";")),
    }
    # Spark's server is started by the client, with what the defaults say.
    (folder / "conf").mkdir(exist_ok=True)
    defaults = "\n".join(f"{key} {value}" for key, value in settings.items())
    (folder / "conf" / "spark-defaults.conf").write_text(defaults)
    tool = Path(sys.executable).parent / "spark-pipelines"
    return subprocess.run(
        [str(tool), "--remote", "local[2]", command, "--spec", str(spec)],
        cwd=folder,
        env={
            **os.environ,
            "PYTHONPATH": f"{NOTEBOOKS}:{PACKAGES}",
            "PYSPARK_PYTHON": sys.executable,
            "SPARK_CONF_DIR": str(folder / "conf"),
            "SPARK_HOME": str(Path(sys.executable).parent.parent / "lib" / SITE),
        },
        capture_output=True,
        text=True,
        timeout=400,
    )


SITE = f"python{sys.version_info[0]}.{sys.version_info[1]}/site-packages/pyspark"


def made(**silver):
    """A plan with an append beside a merge and a history of the same events."""
    whole = plan(silver.pop("source"))
    raw, bronze, events, gold = whole["steps"]
    events["rules"] = [
        rule("named", "not_null", ["name"], "quarantine"),
        rule("known", "accepted_values", ["name"], "warn", values=["a"]),
        rule("early", "range", ["at"], "drop", max=100),
    ]
    newest = {**events, "rules": [], "query": WITH_SEQUENCE, **SEQUENCE, "load_type": "merge"}
    newest |= {
        "target": "s.newest",
        "key": "silver:s.newest",
        "config_id": "newest",
        "dedupe": True,
    }
    history = {**newest, "load_type": "scd2", "target": "s.history", "key": "silver:s.history"}
    whole["steps"] = [raw, bronze, events, newest, history, gold]
    return whole


def test_the_graph_passes_the_dry_run_and_the_pipeline_runs_with_its_expectations(spark, tmp_path):
    source, root = tmp_path / "source", tmp_path / "lake"
    source.mkdir()
    root.mkdir()
    path = tmp_path / "plan.json"
    path.write_text(json.dumps(made(source=str(source))))
    given = {"plan": str(path), "root": str(root)}
    (source / "1.csv").write_text("id,name,at\n1,a,1\n1,b,2\n2,,3\n3,a,101\n")
    first = json.loads(run_notebook("source_to_raw", **given).notebook.value)
    run_notebook("raw_to_bronze", **given, batch_id=first["batch_id"])

    folder = tmp_path / "pipeline"
    folder.mkdir()
    dry = run_pipelines(folder, "dry-run", str(root), str(path))
    assert dry.returncode == 0, dry.stdout[-3000:] + dry.stderr[-3000:]
    assert "Run is COMPLETED" in dry.stdout + dry.stderr

    whole = run_pipelines(folder, "run", str(root), str(path))
    assert whole.returncode == 0, whole.stdout[-3000:] + whole.stderr[-3000:]

    def rows(table):
        frame = spark.read.parquet(f"{folder}/warehouse/{table}")
        return sorted(tuple(row) for row in frame.collect())

    assert rows("s__events") == [(1, "a", 1), (1, "b", 2)]
    assert rows("s__events_quarantine") == [(2, None, 3)]
    assert rows("s__newest") == [(1, "b", 2), (2, None, 3), (3, "a", 101)]
    assert (1, "a", 1, 1, 2) in rows("s__history")
    assert rows("g__totals") == [("a", 1), ("b", 1)]

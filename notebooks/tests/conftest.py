"""One Spark for all tests, and lakes in temporary folders."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from lakeforge.session import open_session

# Tiny rows: compiling each query would take most of the time.
TINY = (
    "spark.sql.codegen.wholeStage=false;spark.sql.codegen.factoryMode=NO_CODEGEN;"
    "spark.driver.extraJavaOptions=-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -XX:CICompilerCount=1"
)


@pytest.fixture(scope="session")
def spark() -> SparkSession:
    os.environ.setdefault("LAKEFORGE_SPARK_CONF", TINY)
    os.environ.setdefault("LAKEFORGE_SPARK_MEMORY", "1g")
    return open_session()


class Widgets:
    def __init__(self, given: dict[str, str]) -> None:
        self.given, self.known = given, {}

    def text(self, name: str, default: str, _label: str) -> None:
        self.known[name] = self.given.get(name, default)

    def get(self, name: str) -> str:
        return self.known[name]


class Notebook:
    def __init__(self) -> None:
        self.value: str | None = None

    def exit(self, value: str) -> None:
        self.value = value


class Dbutils:
    """What a notebook finds in a workspace, as far as ours use it."""

    def __init__(self, **widgets: str) -> None:
        self.widgets, self.notebook = Widgets(widgets), Notebook()


def run_notebook(name: str, **widgets: str) -> Dbutils:
    """Executes a notebook as it is, with widgets."""
    path = Path(__file__).parent.parent / f"{name}.py"
    dbutils = Dbutils(**widgets)
    exec(compile(path.read_text(), str(path), "exec"), {"dbutils": dbutils, "__name__": "__main__"})
    return dbutils


def columns(*pairs: str) -> list[dict[str, Any]]:
    """`name type` pairs as pinned columns."""
    split = (pair.split(" ", 1) for pair in pairs)
    return [{"name": name, "type": kind, "nullable": True} for name, kind in split]


_STEP: dict[str, Any] = {"depends_on": [], "retries": 0, "timeout_s": None}
_TABLE: dict[str, Any] = {"rules": [], "cluster_by": [], "properties": {}, "quarantine": True}
_AUDIT = columns(
    "_batch_id string",
    "_source_file string",
    "_ingested_at timestamp",
    "_row_id bigint",
    "_rescued_data string",
)


def plan(source: str, **silver: Any) -> dict[str, Any]:
    """Files of a folder → b.events → s.events (`silver` changes it) → g.totals."""
    events = columns("id int", "name string", "at int")
    bronze_columns = [{**c, "source_name": c["name"]} for c in events] + _AUDIT
    raw = {
        "zone": "raw",
        "key": "raw:files.events",
        "config_id": "raw-events",
        **_STEP,
        "source": {"id": "s", "name": "files", "kind": "files", "options": {"root": source}},
        "name": "events",
        "object": "*.csv",
        "format": "csv",
        "options": {},
        "columns": events,
        "read_mode": "files",
        "cursor": None,
        "chunking": None,
        "retention_days": None,
    }
    bronze = {
        "zone": "bronze",
        "key": "bronze:b.events",
        "config_id": "bronze-events",
        **_STEP,
        **_TABLE,
        "depends_on": [raw["key"]],
        "target": "b.events",
        "columns": bronze_columns,
        "raw": raw["key"],
        "schema_policy": "evolve",
        "write": "append",
        "keys": [],
        "source_tag": None,
        "column_policies": [],
    }
    step = {
        "zone": "silver",
        "key": "silver:s.events",
        "config_id": "silver-events",
        **_STEP,
        **_TABLE,
        "depends_on": [bronze["key"]],
        "target": "s.events",
        "columns": events,
        "from": ["b.events"],
        "query": "select id, name, at from b.events",
        "has_where": False,
        "has_delete": False,
        "has_sequence": False,
        "sequence_type": None,
        "sequence_column": None,
        "load_type": "append",
        "keys": [],
        "dedupe": False,
        "inputs": [{"table": "b.events", "columns": bronze_columns, "external": False}],
        **silver,
    }
    gold = {
        "zone": "gold",
        "key": "gold:g.totals",
        "config_id": "gold-totals",
        **_STEP,
        **_TABLE,
        "depends_on": [step["key"]],
        "target": "g.totals",
        "columns": columns("name string", "n bigint"),
        "query": "select name, count(*) as n from s.events group by name",
        "materialisation": "replace",
        "inputs": [{"table": "s.events", "columns": events, "external": False}],
    }
    group = {"id": "g", "name": "g", "max_parallel": 1, "on_failure": "continue"}
    return {"format": 1, "group": group, "steps": [raw, bronze, step, gold]}


def rule(name: str, check: str, on: list[str], on_fail: str, **options: Any) -> dict[str, Any]:
    return {
        "id": name,
        "name": name,
        "check": check,
        "options": options,
        "columns": on,
        "filter": None,
        "on_fail": on_fail,
        "threshold": 0,
        "null_passes": False,
        "fingerprint": name,
    }

"""The examples of plug-ins work: an extractor, a transform and a writer of one's own, named in metadata."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import columns, plan

from lakeforge.lake import Lake
from lakeforge.plan import check_plan
from lakeforge.run import run_plan

ZONES = ("raw", "bronze", "silver", "gold")


@pytest.fixture(autouse=True)
def folder(monkeypatch):
    monkeypatch.setenv("LAKEFORGE_PLUGINS", str(Path(__file__).parent.parent / "examples"))


def numbers(extractor="numbers_extractor", **properties):
    made = plan("/nowhere")
    raw, bronze, silver, _ = made["steps"]
    cols = columns("n bigint", "square bigint")
    raw |= {"extractor": extractor, "object": "3", "format": None, "columns": cols}
    bronze["columns"] = [{**c, "source_name": c["name"]} for c in cols] + bronze["columns"][3:]
    silver |= {
        "columns": columns("n bigint", "square bigint", "smooth double"),
        "query": "select n, square, 0.0 as smooth from b.events",
        "load_type": "replace",
        "properties": properties,
        "inputs": [{"table": "b.events", "columns": bronze["columns"], "external": False}],
    }
    return check_plan({**made, "steps": [raw, bronze, silver]})


def run(spark, lake, made, seq):
    run_input = {
        "format": 1,
        "batch_id": f"batch-{seq}",
        "plan_hash": "p",
        "group": "g",
        "environment": "e",
        "seq": str(seq),
        "batch_time": "2026-01-01T00:00:00.000Z",
        "watermarks": {},
    }
    return run_plan(spark, lake, made, run_input, ZONES)


def test_an_extractor_goes_on_at_its_watermark_and_a_transform_shapes_rows(spark, tmp_path):
    lake = Lake(str(tmp_path))
    made = numbers(**{"lakeforge.transform": "smooth_transform"})
    first = run(spark, lake, made, 1)
    assert [outcome["error"] for outcome in first.values()] == [None, None, None]
    assert first["raw:files.events"]["watermark_to"] == "3"
    run(spark, lake, made, 2)
    rows = spark.read.format("delta").load(str(tmp_path / "tables/s/events")).orderBy("n")
    assert [tuple(row) for row in rows.collect()][2:4] == [(2, 4, 5 / 3), (3, 9, 14 / 3)]


def test_a_writer_of_ones_own_commits_once_with_its_counts(spark, tmp_path):
    lake = Lake(str(tmp_path))
    made = numbers(**{"lakeforge.writer": "newest_writer"})
    first = run(spark, lake, made, 1)["silver:s.events"]
    assert first["counts"]["rows_written"] == 3
    again = run(spark, lake, made, 1)["silver:s.events"]
    assert (again["counts"], again["delta_version_after"]) == (first["counts"], 0)


def test_a_plug_in_that_is_not_there_fails_by_name(spark, tmp_path):
    failed = run(spark, Lake(str(tmp_path)), numbers(extractor="none_of_ours"), 1)
    error = failed["raw:files.events"]["error"]
    assert error["code"] == "plugin_missing"
    assert "none_of_ours" in error["message"]

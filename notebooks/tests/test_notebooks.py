"""The notebooks themselves, executed as they are in a workspace, with a stand-in for dbutils."""

from __future__ import annotations

import json

import pytest
from conftest import plan, rule, run_notebook

from lakeforge.notebook import StepsFailed


def read(spark, root, table):
    schema, name = table.split(".")
    return spark.read.format("delta").load(f"{root}/tables/{schema}/{name}")


@pytest.fixture
def lake(tmp_path):
    source, root = tmp_path / "source", tmp_path / "lake"
    source.mkdir()
    root.mkdir()

    def write(**silver):
        (tmp_path / "plan.json").write_text(json.dumps(plan(str(source), **silver)))
        return {"plan": str(tmp_path / "plan.json"), "root": str(root)}

    return source, str(root), write


def test_run_by_hand_one_after_the_other_they_make_a_batch_of_their_own(spark, lake):
    source, root, write = lake
    given = write(rules=[rule("named", "not_null", ["name"], "quarantine")])
    (source / "1.csv").write_text("id,name,at\n1,a,1\n2,,1\n3,a,1\n")
    first = json.loads(run_notebook("source_to_raw", **given).notebook.value)
    assert first["seq"] == "1"
    given = {**given, "batch_id": first["batch_id"]}
    run_notebook("raw_to_bronze", **given)
    last = json.loads(run_notebook("silver_gold_tasks", **given).notebook.value)
    assert last["seq"] == "1"
    counts = last["steps"]["silver:s.events"]["counts"]
    assert (counts["rows_read"], counts["rows_written"], counts["rows_quarantined"]) == (3, 2, 1)
    assert [tuple(r) for r in read(spark, root, "g.totals").collect()] == [("a", 2)]
    # The next one takes the next number, and only what is new.
    (source / "2.csv").write_text("id,name,at\n4,b,1\n")
    second = json.loads(run_notebook("source_to_raw", **write()).notebook.value)
    assert second["seq"] == "2"
    assert [f["source_path"] for f in second["steps"]["raw:files.events"]["files"]] == ["2.csv"]


def test_a_failed_step_fails_the_notebook_with_code_and_hint_and_no_value(spark, lake):
    source, root, write = lake
    given = write()
    (source / "1.csv").write_text("id,name,at\nsecret-value,a,1\n")
    first = json.loads(run_notebook("source_to_raw", **given).notebook.value)
    with pytest.raises(StepsFailed) as failed:
        run_notebook("raw_to_bronze", **given, batch_id=first["batch_id"])
    error = json.loads(str(failed.value))["bronze:b.events"]
    assert error["code"] == "raw_value_invalid"
    assert error["hint"]
    assert "secret-value" not in str(failed.value)


def test_a_run_input_of_the_owner_gives_the_batch(spark, lake, tmp_path):
    source, root, write = lake
    given = write()
    (source / "1.csv").write_text("id,name,at\n1,a,1\n")
    run_input = {
        "format": 1,
        "batch_id": "batch-7",
        "plan_hash": "p",
        "group": "g",
        "environment": "prod",
        "seq": "7",
        "batch_time": "2026-01-01T00:00:00.000Z",
        "watermarks": {},
    }
    (tmp_path / "input.json").write_text(json.dumps(run_input))
    value = run_notebook("source_to_raw", **given, run_input=str(tmp_path / "input.json"))
    assert json.loads(value.notebook.value)["batch_id"] == "batch-7"
    assert (tmp_path / "lake/raw/files/events/seq=7/manifest.json").exists()

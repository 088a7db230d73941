"""From a plan to the datasets of a pipeline: one small function a step, so that each closure binds its own. The dataset
functions only return frames: the runtime calls them several times while it plans."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame, SparkSession

from ..checks import condition
from ..errors import fail
from ..lake import Lake, open_root
from ..names import quote
from ..plan import Plan, Step, parse_plan
from ..sql_text import rewrite
from . import compat
from .compat import Expectations

# Rules that need more than the row itself are for the `lakeforge` writer.
_ROW_CHECKS = ("not_null", "accepted_values", "range", "regex", "expression")


def define_pipeline(spark: SparkSession) -> list[str]:
    """Defines all silver and gold tables of the plan that the pipeline's configuration names; answers their names."""
    plan = parse_plan(Path(spark.conf.get("lakeforge.plan")).read_text(encoding="utf-8"))
    root = spark.conf.get("lakeforge.root", "")
    catalog = spark.conf.get("lakeforge.catalog", "")
    lake = Lake(
        open_root(root) if root else "/", catalog or None, spark.conf.get("lakeforge.prefix", "")
    )
    return define(spark, lake, plan)


def define(spark: SparkSession, lake: Lake, plan: Plan) -> list[str]:
    """The same for a plan at hand."""
    steps = [step for step in plan["steps"] if step["zone"] in ("silver", "gold")]
    own = {step["target"] for step in steps}
    names = {table: compat.dataset_name(table, lake.prefix) for table in own}
    for step in steps:
        for given in step["inputs"]:
            table = given["table"]
            if table not in names:
                names[table] = f"in__{table.replace('.', '__')}"
                _define_input(spark, lake, table, names[table])
    for step in steps:
        if step["zone"] == "gold":
            _define_gold(spark, step, names)
        else:
            _define_silver(spark, lake, step, names, own)
    return sorted(names[table] for table in own)


def _define_input(spark: SparkSession, lake: Lake, table: str, name: str) -> None:
    compat.temporary_view(name, lambda: _read(spark.read, lake, table))
    compat.temporary_view(f"{name}__new", lambda: _read(spark.readStream, lake, table))


def _read(reader: Any, lake: Lake, table: str) -> DataFrame:
    if lake.catalog is not None:
        return reader.table(lake.ident(table))
    return reader.format("delta").load(lake.table_dir(table))


def _define_gold(spark: SparkSession, step: Step, names: dict[str, str]) -> None:
    query = _query(step, names)
    compat.materialised_view(
        names[step["target"]],
        lambda: _shaped(spark.sql(query), step),
        expectations_of(step),
        f"LakeForge {step['key']}",
    )


def _define_silver(
    spark: SparkSession, lake: Lake, step: Step, names: dict[str, str], own: set[str]
) -> None:
    name, comment = names[step["target"]], f"LakeForge {step['key']}"
    rules = expectations_of(step)
    query = _query(step, names)
    first = step["from"][0]
    stream = (
        f"stream({quote(names[first])})"
        if first in own
        else f"stream({quote(names[first] + '__new')})"
    )
    streaming = _query(step, names, {first: stream})

    def rows() -> DataFrame:
        return _shaped(spark.sql(query), step)

    match step["load_type"]:
        case "append":
            compat.streaming_table(
                name, lambda: _shaped(spark.sql(streaming), step), rules, comment
            )
        case "replace":
            compat.materialised_view(name, rows, rules, comment)
        case "merge" | "scd2" if step["has_sequence"]:
            events = f"{name}__events".replace(".", "__")
            compat.temporary_view(events, lambda: _shaped(spark.sql(streaming), step))
            compat.auto_cdc(
                name,
                events,
                rows,
                rules,
                keys=step["keys"],
                columns=[column["name"] for column in step["columns"]],
                scd_type=1 if step["load_type"] == "merge" else 2,
                has_delete=step["has_delete"],
                comment=comment,
            )
        case other:
            fail(
                "engine_unsupported",
                engine="pipeline",
                what=f"load type {other} without a sequence",
            )
    _define_quarantine(step, name, rows)


def _define_quarantine(step: Step, name: str, rows: Any) -> None:
    """Rows that rules send away, as a table beside the table."""
    sent = [rule for rule in step["rules"] if rule["on_fail"] == "quarantine"]
    if not sent or not step["quarantine"]:
        return
    good = " and ".join(f"coalesce({_passes(step, rule)}, false)" for rule in sent)
    compat.materialised_view(
        f"{name}_quarantine",
        lambda: rows().where(f"not ({good})"),
        Expectations(),
        f"LakeForge {step['key']}: rows that failed a rule",
    )


def expectations_of(step: Step) -> Expectations:
    """The step's rules as SQL over a row. Raises engine_unsupported for those that need more than the row."""
    found: dict[str, dict[str, str]] = {"warn": {}, "drop": {}, "fail": {}}
    for rule in step["rules"]:
        if rule["check"] not in _ROW_CHECKS or rule["threshold"] > 0:
            what = f'the rule "{rule["name"]}" in a pipeline'
            fail("engine_unsupported", engine="spark", what=what)
        action = "drop" if rule["on_fail"] == "quarantine" else rule["on_fail"]
        found[action][rule["name"]] = _passes(step, rule)
    return Expectations(**found)


def _passes(step: Step, rule: dict[str, Any]) -> str:
    passes = condition(rule, [(column["name"], column["type"]) for column in step["columns"]])
    passes = f"coalesce({passes}, {str(rule['null_passes']).lower()})"
    return (
        passes
        if rule["filter"] is None
        else f"(not coalesce(({rule['filter']}\n), false) or {passes})"
    )


def _query(step: Step, names: dict[str, str], streams: dict[str, str] | None = None) -> str:
    """The query over the pipeline's datasets. A pipeline refreshes by its own clock: the time is that of the update."""
    return rewrite(step["query"], names, None, streams or {})[0]


def _shaped(frame: DataFrame, step: Step) -> DataFrame:
    """Rows that `where` keeps, typed as pinned."""
    if step.get("has_where"):
        frame = frame.where("__keep")
    items = [
        f"cast({quote(c['name'])} as {c['type']}) as {quote(c['name'])}" for c in step["columns"]
    ]
    if step.get("has_sequence"):
        items.append(f"cast(__sequence as {step['sequence_type']}) as __sequence")
    if step.get("has_delete"):
        items.append("cast(__delete as boolean) as __delete")
    return frame.selectExpr(*items)

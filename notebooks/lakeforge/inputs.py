"""What a silver or gold step reads: every table at one version, fixed before anything is committed, and of the table that
drives an incremental load only the rows that came since the last commit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pyspark.sql import DataFrame

from .context import Context
from .errors import fail
from .lake import files_added, table_state
from .names import quote
from .plan import Step
from .target import NOTHING, Target, read_record, read_version


@dataclass(frozen=True)
class Inputs:
    """`versions`: table -> version. `frames`: table -> its rows. `fresh`: of the driving table there are rows that no commit of
    this step has taken. `references`: tables of `referential` rules that exist."""

    versions: dict[str, int]
    frames: dict[str, DataFrame]
    fresh: bool
    references: dict[str, DataFrame]


def open_inputs(context: Context, step: Step, target: Target, incremental: bool) -> Inputs:
    """`incremental`: the first table of `from` is cut to its new rows. Raises input_missing, input_rewound, history_gone."""
    recorded = _recorded(context, step, target)
    versions: dict[str, int] = {}
    frames: dict[str, DataFrame] = {}
    fresh = True
    driving = step["from"][0] if incremental and step["zone"] == "silver" else None
    for given in step["inputs"]:
        table = given["table"]
        version = recorded.get(table)
        if version is None:
            state = table_state(context.spark, context.lake, table)
            version = state.version if state else NOTHING
        if version == NOTHING and given["external"]:
            fail("input_missing", step=step["key"], table=table)
        versions[table] = version
        frame = None if version == NOTHING else read_version(context, table, version)
        if table == driving:
            frame, fresh = _new_rows(context, target, table, version, frame)
        frames[table] = _planned(context, given["columns"], frame)
    references = open_references(context, step, target, versions)
    return Inputs(versions, frames, fresh, references)


def open_references(
    context: Context, step: Step, target: Target, versions: dict[str, int]
) -> dict[str, DataFrame]:
    """Tables that `referential` rules look into, without those that don't exist. Their versions, the same in every attempt of
    this batch, are added to `versions`."""
    tables = {
        str(rule["options"]["table"]) for rule in step["rules"] if rule["check"] == "referential"
    }
    recorded = _recorded(context, step, target) if tables else {}
    found: dict[str, DataFrame] = {}
    for table in sorted(tables):
        version = recorded.get(table, versions.get(table))
        if version is None:
            state = table_state(context.spark, context.lake, table)
            version = state.version if state else NOTHING
        if version == NOTHING:
            continue
        found[table] = read_version(context, table, version)
        versions[table] = version
    return found


def _recorded(context: Context, step: Step, target: Target) -> dict[str, int]:
    """The versions that an earlier attempt of this batch has fixed; empty when none has."""
    if target.compare is not None:
        return dict(target.compare.note["inputs"])
    record = read_record(context, step["key"])
    if record is None:
        return {}
    if record["app_id"] == target.app_id:
        return dict(record["inputs"])
    # The table was restored since, and those that it reads with it. Other groups' tables still stand as the batch saw them.
    external = {given["table"] for given in step.get("inputs", []) if given["external"]}
    return {table: version for table, version in record["inputs"].items() if table in external}


def _new_rows(
    context: Context, target: Target, table: str, version: int, frame: DataFrame | None
) -> tuple[DataFrame | None, bool]:
    """Rows that came since the last commit of this step and are still part of the table, and whether there are any files of
    them."""
    if frame is None:
        return None, False
    if target.last_seq < 0:
        return frame, True
    consumed = target.last.note["inputs"].get(table) if target.last else None
    if consumed is None:
        return fail("history_gone", table=target.table, input=table)
    if consumed == version:
        return None, False
    if consumed > version:
        fail("input_rewound", table=table, version=version, consumed=consumed, target=target.table)
    lake = context.lake
    if lake.catalog is not None:
        # Tables of a catalog keep a change feed: their files are the catalog's own business.
        changes = (
            context.spark.read.option("readChangeFeed", "true")
            .option("startingVersion", consumed + 1)
            .option("endingVersion", version)
            .table(lake.ident(table))
            .where("_change_type in ('insert', 'update_postimage')")
        )
        return changes.drop("_change_type", "_commit_version", "_commit_timestamp"), True
    files, removed = files_added(lake.table_dir(table), consumed, version)
    if removed:
        # A restore brings back files whose rows were taken long ago.
        former = read_version(context, table, consumed).inputFiles() if consumed >= 0 else []
        files -= {_plain_path(path) for path in former}
    if not files:
        return None, False
    return context.spark.read.schema(frame.schema).parquet(*map(_escaped, sorted(files))), True


def _plain_path(address: str) -> str:
    from urllib.parse import unquote

    return unquote(address.removeprefix("file://").removeprefix("file:"))


def _escaped(path: str) -> str:
    """Spark reads a path as a glob."""
    return "".join(f"\\{char}" if char in "*?[]{}\\" else char for char in path)


def _planned(context: Context, columns: list[dict[str, Any]], frame: DataFrame | None) -> DataFrame:
    """The columns that the query was checked against, whatever the table has by now; then those that came since."""
    there = {} if frame is None else {name.lower(): name for name in frame.columns}
    items = []
    for column in columns:
        found = there.pop(column["name"].lower(), None)
        value = "null" if found is None else quote(found)
        items.append(f"cast({value} as {column['type']}) as {quote(column['name'])}")
    items += [quote(name) for name in there.values()]
    if frame is None:
        return context.spark.range(0).selectExpr(*items)
    return frame.selectExpr(*items)

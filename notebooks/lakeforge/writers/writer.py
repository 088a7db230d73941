"""What every writer takes and gives: staged rows of one table in, counts, the table's content sum and a commit out.

A writer commits nothing by itself: what it found out goes into the commit's note, so it must be known before."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pyspark.sql import DataFrame

from ..context import Context
from ..errors import fail
from ..lake import TableState
from ..names import literal, quote

if TYPE_CHECKING:
    from ..finish import Shaped

Column = tuple[str, str]


@dataclass(frozen=True)
class Load:
    """`rows`: the step's columns, then `__sequence` and `__delete` where it has them. `there`: the table's rows before; None:
    no table yet. `former`: their content sum."""

    context: Context
    table: str
    state: TableState | None
    there: DataFrame | None
    rows: DataFrame
    former: int
    shaped: Shaped


@dataclass(frozen=True)
class Written:
    """`counts`: the writer's part of the balance sheet. `content_sum`: of the whole table after the commit. `new_rows`: what
    comes into the table. `commit(note, app_id, properties)` makes it so."""

    counts: dict[str, int]
    columns: list[Column]
    content_sum: int
    new_rows: DataFrame
    commit: Callable[[str, str, dict[str, str]], None]


Writer = Callable[[Load], Written]


def table_columns(load: Load, more: list[Column] | None = None) -> list[Column]:
    """The table's columns with this load: the step's, and those that only the table has; they stay, and are NULL in new rows."""
    mine = [*load.shaped.columns, *(more or [])]
    names = {name.lower() for name, _ in mine}
    others = load.state.columns if load.state else []
    return mine + [column for column in others if column[0].lower() not in names]


def aligned(frame: DataFrame, columns: list[Column], extras: list[str] | None = None) -> DataFrame:
    """The frame with exactly these columns, typed and nullable, NULL where it has none; then the named extras."""
    there = {name.lower() for name in frame.columns}
    items = [
        f"if(true, cast({quote(name) if name.lower() in there else 'null'} as {kind}), null) as {quote(name)}"
        for name, kind in columns
    ]
    return frame.selectExpr(*items, *map(quote, extras or []))


def refuse_null_keys(load: Load) -> None:
    """A NULL in a key equals no other NULL: such a row would be a new one each time that it is delivered. Raises key_null."""
    none = " or ".join(f"{quote(key)} is null" for key in load.shaped.keys)
    rows = load.rows.where(none).count()
    if rows > 0:
        fail("key_null", table=load.table, rows=rows, keys=", ".join(load.shaped.keys))


def commit_options(writer: Any, note: str, app_id: str, seq: int) -> Any:
    """What makes a commit ours, and happen once."""
    return (
        writer.format("delta")
        .option("txnAppId", app_id)
        .option("txnVersion", str(seq))
        .option("userMetadata", note)
    )


def save(load: Load, frame: DataFrame, note: str, app_id: str, mode: str) -> None:
    """Appends or overwrites in one commit."""
    context = load.context
    writer = commit_options(frame.write, note, app_id, int(context.input["seq"])).mode(mode)
    writer = writer.option("overwriteSchema" if mode == "overwrite" else "mergeSchema", "true")
    if context.lake.catalog is None:
        writer.save(context.lake.table_dir(load.table))
    else:
        # The steps below read new rows from the table's change feed.
        writer.option("delta.enableChangeDataFeed", "true").saveAsTable(
            context.lake.ident(load.table)
        )


def set_properties(load: Load, columns: list[Column], properties: dict[str, str]) -> None:
    """Properties that the table lacks, in a commit of their own before the data: they change no row."""
    if load.state is None:
        return
    known = load.state.properties
    new = {key: value for key, value in properties.items() if known.get(key) != value}
    naive = "timestamp_ntz"
    if any(naive in kind for _, kind in columns) and not any(
        naive in kind for _, kind in load.state.columns
    ):
        # The first naive time of a table: Delta wants to be asked.
        new["delta.feature.timestampNtz"] = "supported"
    if not new:
        return
    listed = ", ".join(f"{literal(key)} = {literal(value)}" for key, value in sorted(new.items()))
    load.context.spark.sql(
        f"alter table {load.context.lake.ident(load.table)} set tblproperties ({listed})"
    )


def create_properties(load: Load, columns: list[Column], properties: dict[str, str]) -> None:
    """A new table that has properties begins empty."""
    if load.state is not None or not properties:
        return
    listed = ", ".join(
        f"{literal(key)} = {literal(value)}" for key, value in sorted(properties.items())
    )
    names = ", ".join(f"{quote(name)} {kind}" for name, kind in columns)
    load.context.spark.sql(
        f"create table if not exists {load.context.lake.ident(load.table)} ({names}) using delta tblproperties ({listed})"
    )


def add_columns(load: Load, columns: list[Column]) -> None:
    """Columns that the table lacks, added before a merge."""
    known = {name.lower() for name, _ in (load.state.columns if load.state else [])}
    new = [(name, kind) for name, kind in columns if name.lower() not in known]
    if load.state is None or not new:
        return
    listed = ", ".join(f"{quote(name)} {kind}" for name, kind in new)
    load.context.spark.sql(
        f"alter table {load.context.lake.ident(load.table)} add columns ({listed})"
    )


def run_merge(load: Load, source: DataFrame, clauses: str, on: str, note: str, app_id: str) -> None:
    """One MERGE as one commit of ours. `source` is `s`, the table `t`."""
    context = load.context
    spark = context.spark
    settings = {
        "spark.databricks.delta.commitInfo.userMetadata": note,
        "spark.databricks.delta.write.txnAppId": app_id,
        "spark.databricks.delta.write.txnVersion": context.input["seq"],
    }
    source.createOrReplaceTempView("__lakeforge_source")
    try:
        for key, value in settings.items():
            spark.conf.set(key, value)
        spark.sql(
            f"merge into {context.lake.ident(load.table)} as t using __lakeforge_source as s on {on} {clauses}"
        )
    finally:
        for key in settings:
            spark.conf.unset(key)

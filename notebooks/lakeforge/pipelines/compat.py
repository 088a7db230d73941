"""What a declarative pipeline can say, here and on Databricks: the one place that knows the difference.

Databricks has expectations and AUTO CDC; open-source Spark 4.1 has neither, and plain names of one schema. There rules become
filters in the query (without a count of what they took), and AUTO CDC a materialised view over all events."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from pyspark.sql import DataFrame

from ..names import quote

try:
    from pyspark import pipelines as dp
except ImportError:
    import dlt as dp

HAS_EXPECTATIONS = hasattr(dp, "expect_all_or_drop")
HAS_AUTO_CDC = hasattr(dp, "create_auto_cdc_flow")

Rows = Callable[[], DataFrame]


@dataclass(frozen=True)
class Expectations:
    """Rule name -> SQL that is true of a good row, by what happens to the others."""

    warn: dict[str, str] = field(default_factory=dict)
    drop: dict[str, str] = field(default_factory=dict)
    fail: dict[str, str] = field(default_factory=dict)

    def native(self, rows: Rows) -> Rows:
        """The dataset function with the runtime's own expectations around it."""
        wrapped: Any = rows
        for name, rules in (
            ("expect_all", self.warn),
            ("expect_all_or_drop", self.drop),
            ("expect_all_or_fail", self.fail),
        ):
            if rules:
                wrapped = getattr(dp, name)(rules)(wrapped)
        return wrapped

    def filtered(self, frame: DataFrame) -> DataFrame:
        """The rows that stay. A rule that can't say has failed."""
        for name, sql in self.fail.items():
            told = f"raise_error('LAKEFORGE:expectation {name}')"
            frame = frame.where(f"if(coalesce({sql}, false), true, cast({told} as boolean))")
        for sql in self.drop.values():
            frame = frame.where(f"coalesce({sql}, false)")
        return frame


def with_expectations(rows: Rows, expectations: Expectations) -> Rows:
    """The dataset function with its rules, in the way that the runtime has."""
    if HAS_EXPECTATIONS:
        return expectations.native(rows)
    return lambda: expectations.filtered(rows())


def dataset_name(table: str, prefix: str = "") -> str:
    """How a pipeline calls a table: on Databricks by its schema, elsewhere all lie in one."""
    return f"{prefix}{table}" if HAS_EXPECTATIONS else table.replace(".", "__")


def temporary_view(name: str, rows: Rows) -> None:
    dp.temporary_view(name=name)(rows)


def streaming_table(name: str, rows: Rows, expectations: Expectations, comment: str) -> None:
    dp.table(name=name, comment=comment)(with_expectations(rows, expectations))


def materialised_view(name: str, rows: Rows, expectations: Expectations, comment: str) -> None:
    dp.materialized_view(name=name, comment=comment)(with_expectations(rows, expectations))


def auto_cdc(
    name: str,
    source: str,
    read: Rows,
    expectations: Expectations,
    *,
    keys: list[str],
    columns: list[str],
    scd_type: int,
    has_delete: bool,
    comment: str,
) -> None:
    """The newest row of each key (type 1), or all of its versions (type 2), of events that carry `__sequence` and, with
    `has_delete`, `__delete`. `read` gives all events; `source` is the streaming view of them."""
    if HAS_AUTO_CDC and HAS_EXPECTATIONS:
        dp.create_streaming_table(
            name=name,
            comment=comment,
            expect_all=expectations.warn,
            expect_all_or_drop=expectations.drop,
            expect_all_or_fail=expectations.fail,
        )
        dp.create_auto_cdc_flow(
            target=name,
            source=source,
            keys=keys,
            sequence_by="__sequence",
            apply_as_deletes="__delete" if has_delete else None,
            except_column_list=["__sequence", *(["__delete"] if has_delete else [])],
            stored_as_scd_type=str(scd_type),
        )
        return
    by = ", ".join(map(quote, keys))
    deletes = "coalesce(__delete, false)" if has_delete else "false"
    listed = [quote(column) for column in columns]

    def newest() -> DataFrame:
        ranked = expectations.filtered(read()).selectExpr(
            "*",
            f"row_number() over (partition by {by} order by __sequence desc nulls last, {deletes} desc) as __n",
        )
        return ranked.where(f"__n = 1 and not {deletes}").selectExpr(*listed)

    def versions() -> DataFrame:
        timed = expectations.filtered(read()).selectExpr(
            *listed,
            "__sequence as __START_AT",
            f"lead(__sequence) over (partition by {by} order by __sequence, {deletes}) as __END_AT",
            f"{deletes} as __gone",
        )
        # Spark would look for what a `drop` drops before the graph is known.
        return timed.where("not __gone").selectExpr(*listed, "__START_AT", "__END_AT")

    materialised_view(name, newest if scd_type == 1 else versions, Expectations(), comment)

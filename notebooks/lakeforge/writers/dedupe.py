"""One row per key before a table sees the rows: the greatest `__sequence`, ties by the greatest canonical text, so that the
order in which rows came decides nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import DataFrame

from ..context import Context
from ..names import quote
from ..row_text import row_text_sql

if TYPE_CHECKING:
    from ..finish import Shaped


def dedupe(context: Context, rows: DataFrame, shaped: Shaped) -> tuple[DataFrame, int]:
    """The rows, one per key, and how many were left out. A row with a NULL in its key equals no other and stays. At the same
    sequence a delete beats a row; a NULL sequence is the least. scd2 keeps one row and one deletion per key and sequence."""
    keys = [quote(key) for key in shaped.keys]
    places = [
        *(["__sequence"] if shaped.has_sequence else []),
        *(["coalesce(__delete, false)"] if shaped.has_delete else []),
    ]
    scd2 = shaped.load_type == "scd2"
    by = ", ".join(keys + (places if scd2 else []))
    order = ", ".join(
        [*([] if scd2 else [f"{place} desc nulls last" for place in places]), "__text desc"]
    )
    null = " or ".join(f"{key} is null" for key in keys)
    ranked = rows.selectExpr("*", f"{row_text_sql(shaped.columns)} as __text").selectExpr(
        "*", f"row_number() over (partition by {by} order by {order}) as __place"
    )
    ranked = context.keep(ranked)
    lost = ranked.where(f"__place > 1 and not ({null})").count()
    return ranked.where(f"__place = 1 or {null}").drop("__place", "__text"), lost

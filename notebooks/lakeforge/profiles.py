"""Column profiles of the rows that a commit adds: suggestions and anomalies need a history of them."""

from __future__ import annotations

from typing import Any

from pyspark.sql import DataFrame

from .content_hash import parse_type
from .names import quote

_AUDIT = frozenset({"_batch_id", "_source_file", "_ingested_at", "_row_id"})
_BOUNDED = (
    "tinyint",
    "smallint",
    "int",
    "bigint",
    "decimal",
    "date",
    "timestamp",
    "timestamp_ntz",
    "string",
)
# Wider tables are profiled by their first columns.
_COLUMNS = 200


def profiles_of(rows: DataFrame, columns: list[tuple[str, str]]) -> list[dict[str, Any]]:
    """One profile a column: rows, nulls, bounds as text where the type has an order that everyone shares."""
    shown = [(n, kind) for n, kind in columns if n not in _AUDIT][:_COLUMNS]
    items = ["count(1) as rows"]
    for n, (name, kind) in enumerate(shown):
        items.append(f"count_if({quote(name)} is null) as n{n}")
        if parse_type(kind)[0] in _BOUNDED:
            items.append(f"left(cast(min({quote(name)}) as string), 200) as a{n}")
            items.append(f"left(cast(max({quote(name)}) as string), 200) as b{n}")
    row = rows.selectExpr(*items).first()
    found = row.asDict() if row is not None else {}
    return [
        {
            "column": name,
            "rows": int(found.get("rows", 0)),
            "nulls": int(found.get(f"n{n}", 0)),
            "distinct": None,
            "sampled": 0,
            "min": found.get(f"a{n}"),
            "max": found.get(f"b{n}"),
        }
        for n, (name, _) in enumerate(shown)
    ]

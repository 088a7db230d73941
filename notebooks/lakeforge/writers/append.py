"""Append: every staged row becomes a row of the table."""

from __future__ import annotations

from ..row_text import hash_sum
from .writer import Load, Written, aligned, create_properties, save, set_properties, table_columns


def append(load: Load) -> Written:
    columns = table_columns(load)
    rows = load.context.keep(aligned(load.rows, columns))
    counted = rows.selectExpr("count(1) as rows", f"{hash_sum(columns)} as sum").first()

    def commit(note: str, app_id: str, properties: dict[str, str]) -> None:
        create_properties(load, columns, properties)
        set_properties(load, columns, properties)
        save(load, rows, note, app_id, "append")

    return Written(
        {"rows_written": counted["rows"], "rows_inserted": counted["rows"]},
        columns,
        load.former + int(counted["sum"] or 0),
        rows,
        commit,
    )

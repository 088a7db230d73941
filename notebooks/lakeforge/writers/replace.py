"""Replace: the staged rows are the table; what was there leaves in the same commit."""

from __future__ import annotations

from ..row_text import hash_sum
from .writer import Load, Written, aligned, create_properties, save, set_properties


def replace(load: Load) -> Written:
    columns = list(load.shaped.columns)
    rows = load.context.keep(aligned(load.rows, columns))
    counted = rows.selectExpr("count(1) as rows", f"{hash_sum(columns)} as sum").first()

    def commit(note: str, app_id: str, properties: dict[str, str]) -> None:
        create_properties(load, columns, properties)
        set_properties(load, columns, properties)
        save(load, rows, note, app_id, "overwrite")

    return Written(
        {"rows_written": counted["rows"], "rows_inserted": counted["rows"]},
        columns,
        int(counted["sum"] or 0),
        rows,
        commit,
    )

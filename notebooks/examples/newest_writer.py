"""A writer of one's own: a table that keeps the newest thousand rows alone.

A silver or gold table names it by the property `lakeforge.writer: newest_writer`. It says beforehand what will be in the table
(counts, content sum), and commits by a function that is called with the commit's note: so the batch stays exactly once."""

from __future__ import annotations

from lakeforge.row_text import hash_sum
from lakeforge.writers.writer import Load, Written, aligned, save, table_columns

KEPT = 1000


def write(load: Load) -> Written:
    columns = table_columns(load)
    new = aligned(load.rows, columns)
    came = new.count()
    rows = new if load.there is None else aligned(load.there, columns).unionByName(new)
    newest = rows.sort(rows[0].desc()).limit(KEPT)
    rows = load.context.keep(newest)
    total = rows.selectExpr(f"{hash_sum(columns)} as sum").first()

    def commit(note: str, app_id: str, _properties: dict[str, str]) -> None:
        save(load, rows, note, app_id, "overwrite")

    return Written({"rows_written": came}, columns, int(total["sum"] or 0), rows, commit)

"""Merge: each key has one row, the newest. What is newest is told by the sequence, at the same sequence by the canonical text,
so that batches may come in any order; without a sequence the incoming row is.

A deletion isn't remembered: an older row of the same key that comes in a later batch brings the key back."""

from __future__ import annotations

from ..errors import fail
from ..names import quote
from ..row_text import hash_sum, row_hash_sql, row_text_sql
from .dedupe import dedupe
from .writer import (
    Load,
    Written,
    add_columns,
    aligned,
    create_properties,
    refuse_null_keys,
    run_merge,
    save,
    set_properties,
    table_columns,
)


def merge(load: Load) -> Written:
    """Each incoming row counts once: applied (`rows_written`), older than the table's (`rows_late`), or the lesser of two at
    one sequence (`rows_deduplicated`). A row that is there already is applied, and nothing is written. Raises key_null,
    sequence_not_in_columns."""
    shaped = load.shaped
    if shaped.has_sequence and shaped.sequence_column is None:
        fail("sequence_not_in_columns", table=load.table)
    refuse_null_keys(load)
    rows, twice = (load.rows, 0) if shaped.dedupe else dedupe(load.context, load.rows, shaped)
    columns = table_columns(load)
    extras = [
        *(["__sequence"] if shaped.has_sequence else []),
        *(["__delete"] if shaped.has_delete else []),
    ]
    staged = aligned(rows, columns, extras)
    written = (
        _first(load, columns, staged) if load.there is None else _change(load, columns, staged)
    )
    counts = {**written.counts}
    counts["rows_deduplicated"] = counts.get("rows_deduplicated", 0) + twice
    return Written(counts, columns, written.content_sum, written.new_rows, written.commit)


def _first(load: Load, columns: list[tuple[str, str]], staged):
    """Into an empty table: all but the deletions."""
    deletes = "coalesce(__delete, false)" if load.shaped.has_delete else "false"
    staged = load.context.keep(staged)
    total = staged.count()
    rows = staged.where(f"not {deletes}").select(*[quote(name) for name, _ in columns])
    counted = rows.selectExpr("count(1) as rows", f"{hash_sum(columns)} as sum").first()

    def commit(note: str, app_id: str, properties: dict[str, str]) -> None:
        create_properties(load, columns, properties)
        save(load, rows, note, app_id, "append")

    counts = {"rows_written": total, "rows_inserted": counted["rows"]}
    return Written(counts, columns, int(counted["sum"] or 0), rows, commit)


def _change(load: Load, columns: list[tuple[str, str]], staged):
    shaped, there = load.shaped, load.there
    keys = [quote(key) for key in shaped.keys]
    names = [quote(name) for name, _ in columns]
    n = len(columns)
    deletes = "coalesce(__delete, false)" if shaped.has_delete else "false"
    mine = staged.selectExpr(
        *[f"{name} as i{k}" for k, name in enumerate(names)],
        f"{'__sequence' if shaped.has_sequence else 'cast(null as int)'} as __sequence",
        f"{deletes} as __deletes",
        f"{row_text_sql(columns)} as __text",
    )
    theirs = aligned(there, columns)
    theirs = theirs.selectExpr(
        *[f"{name} as t{k}" for k, name in enumerate(names)],
        f"{quote(shaped.sequence_column) if shaped.has_sequence else 'cast(null as int)'} as __theirs",
        f"{row_text_sql(columns)} as __old",
        "true as __met",
    )
    at = {name: k for k, (name, _) in enumerate(columns)}
    index = [at[_own(columns, key)] for key in shaped.keys]
    on = [mine[f"i{k}"] == theirs[f"t{k}"] for k in index]
    joined = mine.join(theirs, on, "left")
    # -1 before the table's row, 0 level with it, 1 after it. A NULL sequence is the least.
    order = (
        "case when __sequence <=> __theirs then 0 when __sequence is null or __sequence < __theirs then -1 else 1 end"
        if shaped.has_sequence
        else "0"
    )
    level = "__order = 0" if shaped.has_sequence else "false"
    word = f"""case
        when __met is null then if(__deletes, 'idle', 'inserted')
        when __order < 0 then 'late'
        when __deletes then 'deleted'
        when __old = __text then 'same'
        when {level} and __old > __text then 'lost'
        else 'updated' end"""
    judged = joined.selectExpr("*", f"{order} as __order").selectExpr("*", f"{word} as __word")
    judged = load.context.keep(judged)
    new_hash = row_hash_sql("__text")
    old_hash = row_hash_sql("__old")
    counted = {
        row["__word"]: row
        for row in judged.groupBy("__word")
        .agg(
            *_exprs(
                "count(1) as matches",
                f"count(distinct {', '.join(f'i{k}' for k in index)}) as rows",
                f"sum({new_hash}) as new",
                f"sum({old_hash}) as old",
            )
        )
        .collect()
    }

    def total(word: str, term: str = "rows") -> int:
        return int(counted[word][term] or 0) if word in counted else 0

    content = (
        load.former
        + total("inserted", "new")
        + total("updated", "new")
        - total("updated", "old")
        - total("deleted", "old")
    )
    applied = [*[f"i{k} as {name}" for k, name in enumerate(names)]]
    changes = judged.where("__word in ('inserted', 'updated', 'deleted')")
    new_rows = judged.where("__word in ('inserted', 'updated')").selectExpr(*applied)

    def commit(note: str, app_id: str, properties: dict[str, str]) -> None:
        set_properties(load, columns, properties)
        add_columns(load, columns)
        sets = ", ".join(f"t.{name} = s.i{k}" for k, name in enumerate(names))
        values = ", ".join(f"s.i{k}" for k in range(n))
        clauses = (
            f"when matched and s.__word = 'deleted' then delete "
            f"when matched and s.__word = 'updated' then update set {sets} "
            f"when not matched and s.__word = 'inserted' then insert ({', '.join(names)}) values ({values})"
        )
        match = " and ".join(f"t.{key} = s.i{k}" for key, k in zip(keys, index, strict=True))
        source = changes.select(*[f"i{k}" for k in range(n)], "__word")
        if any(row["matches"] > row["rows"] for row in counted.values()):
            # Another writer left a key in several rows: all of them change, by one row of ours.
            source = source.dropDuplicates([f"i{k}" for k in index])
        run_merge(load, source, clauses, match, note, app_id)

    counts = {
        "rows_written": sum(map(total, ("inserted", "updated", "same", "deleted", "idle"))),
        "rows_late": total("late"),
        "rows_deduplicated": total("lost"),
        "rows_inserted": total("inserted"),
        "rows_updated": total("updated"),
        "rows_deleted": total("deleted", "matches"),
    }
    return Written(counts, columns, content, new_rows, commit)


def _own(columns: list[tuple[str, str]], key: str) -> str:
    return next(name for name, _ in columns if name.lower() == key.lower())


def _exprs(*texts: str):
    from pyspark.sql import functions as f

    return [f.expr(text) for text in texts]

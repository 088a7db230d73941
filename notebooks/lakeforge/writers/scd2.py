"""SCD 2: each event of a key is a version with the time in which it held, `[__START_AT, __END_AT)` in the sequence's own type.
An event goes to its place whenever it comes: versions follow from the set of events, not from their order of arrival.

A deletion leaves no row, but the end of the version that it closes: where no version begins at an end, a deletion is known to
have been. One that finds no version open when it comes isn't kept, and doesn't end what comes later at its place."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as f

from ..errors import fail
from ..names import quote
from ..row_text import hash_sum, row_hash_sql, row_text_sql
from .dedupe import dedupe
from .writer import (
    Column,
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

START = "__START_AT"
END = "__END_AT"


def scd2(load: Load) -> Written:
    """Every incoming row is applied (`rows_written`), but the lesser of two different ones of one key and sequence
    (`rows_deduplicated`). `rows_closed` are versions of the table that were open and now end. Raises key_null, sequence_null,
    delta_schema_refused for a table that holds rows without their history."""
    shaped = load.shaped
    kind = shaped.sequence_type
    if not shaped.has_sequence or kind is None:
        return fail("internal")
    refuse_null_keys(load)
    empty = load.rows.where("__sequence is null").count()
    if empty > 0:
        fail("sequence_null", table=load.table, rows=empty)
    live = load.there is not None and START in load.there.columns
    if load.there is not None and not live and not load.there.isEmpty():
        reason = "its rows have no history yet"
        fail("delta_schema_refused", table=load.table, column=START, reason=reason)
    rows, twice = (load.rows, 0) if shaped.dedupe else dedupe(load.context, load.rows, shaped)
    columns = table_columns(load, [(START, kind), (END, kind)])
    content = [column for column in columns if column[0] not in (START, END)]
    extras = ["__sequence", *(["__delete"] if shaped.has_delete else [])]
    staged = aligned(rows, content, extras)
    written = _change(load, columns, content, staged) if live else _first(load, columns, staged)
    counts = {**written.counts}
    counts["rows_deduplicated"] = counts.get("rows_deduplicated", 0) + twice
    return Written(counts, columns, written.content_sum, written.new_rows, written.commit)


def _deletes(load: Load) -> str:
    return "coalesce(__delete, false)" if load.shaped.has_delete else "false"


def _first(load: Load, columns: list[Column], staged: DataFrame) -> Written:
    """Into an empty table: a version ends where the key's next event is."""
    deletes = _deletes(load)
    keys = ", ".join(map(quote, load.shaped.keys))
    ended = load.context.keep(
        staged.selectExpr(
            "*",
            f"__sequence as {START}",
            f"lead(__sequence) over (partition by {keys} order by __sequence, {deletes}) as {END}",
        )
    )
    total = ended.count()
    rows = load.context.keep(aligned(ended.where(f"not {deletes}"), columns))
    counted = rows.selectExpr("count(1) as rows", f"{hash_sum(columns)} as sum").first()

    def commit(note: str, app_id: str, properties: dict[str, str]) -> None:
        create_properties(load, columns, properties)
        set_properties(load, columns, properties)
        save(load, rows, note, app_id, "append")

    counts = {"rows_written": total, "rows_inserted": counted["rows"]}
    return Written(counts, columns, int(counted["sum"] or 0), rows, commit)


def _change(load: Load, columns: list[Column], content: list[Column], staged: DataFrame) -> Written:
    context, kind = load.context, load.shaped.sequence_type
    lower = [name.lower() for name, _ in content]
    keys = [lower.index(key.lower()) for key in load.shaped.keys]
    k = [f"k{n}" for n in range(len(keys))]

    incoming = context.keep(
        staged.selectExpr(
            *[f"{quote(name)} as i{n}" for n, (name, _) in enumerate(content)],
            *[f"{quote(content[at][0])} as k{n}" for n, at in enumerate(keys)],
            f"cast(__sequence as {kind}) as moment",
            f"{_deletes(load)} as deletes",
            f"{row_text_sql(content)} as text",
        )
    )
    least = incoming.groupBy(*k).agg(f.min("moment").alias("least"))
    there = aligned(load.there, columns).selectExpr(
        *[f"{quote(name)} as t{n}" for n, (name, _) in enumerate(content)],
        *[f"{quote(content[at][0])} as k{n}" for n, at in enumerate(keys)],
        f"{START} as starts",
        f"{END} as former",
        f"{row_text_sql(content)} as old_text",
        f"{row_hash_sql(row_text_sql(columns))} as old_hash",
    )
    known = context.keep(there.join(least, k).where("former is null or former >= least"))
    times = context.keep(_times(incoming, known, k))

    # Each version of the table that the batch may change, with its end as it must be and the incoming row that it meets.
    ends = times.where("new = false").select(*k, f.col("moment").alias("starts"), "ends")
    events = incoming.where("not deletes").withColumnRenamed("moment", "starts")
    judged = known.join(ends, [*k, "starts"]).join(events.drop("deletes"), [*k, "starts"], "left")
    judged = context.keep(
        judged.selectExpr(
            "*",
            "not (ends <=> former) as moved",
            "text is not null as met",
            "coalesce(text = old_text, false) as same",
        ).selectExpr("*", "met and not same and text > old_text as won")
    )
    changed = judged.where("moved or won").selectExpr(
        *[f"if(won, i{n}, t{n}) as {quote(name)}" for n, (name, _) in enumerate(content)],
        f"starts as {START}",
        f"ends as {END}",
    )
    fresh = times.where("new").select(*k, "moment", "ends")
    fresh = incoming.where("not deletes").join(fresh, [*k, "moment"])
    fresh = fresh.selectExpr(
        *[f"i{n} as {quote(name)}" for n, (name, _) in enumerate(content)],
        f"moment as {START}",
        f"ends as {END}",
    )
    changed, fresh = aligned(changed, columns), aligned(fresh, columns)
    told = judged.selectExpr(
        "count_if(won) as won",
        "count_if(met and same) as same",
        "count_if(met and not same and not won) as lost",
        "count_if(moved and former is null) as closed",
        "sum(if(moved or won, old_hash, 0)) as gone",
    ).first()
    deletes = incoming.where("deletes").count()
    came = changed.unionByName(fresh)
    came = context.keep(came)
    coming = came.selectExpr("count(1) as rows", f"{hash_sum(columns)} as sum").first()
    inserted = fresh.count()
    content_sum = load.former - int(told["gone"] or 0) + int(coming["sum"] or 0)

    def commit(note: str, app_id: str, properties: dict[str, str]) -> None:
        set_properties(load, columns, properties)
        add_columns(load, columns)
        names = [quote(name) for name, _ in columns]
        match = " and ".join(
            f"t.{name} = s.{name}" for name in [*(quote(content[at][0]) for at in keys), START]
        )
        clauses = (
            f"when matched then update set {', '.join(f't.{name} = s.{name}' for name in names)} "
            f"when not matched then insert ({', '.join(names)}) values ({', '.join(f's.{name}' for name in names)})"
        )
        run_merge(load, came, clauses, match, note, app_id)

    counts = {
        "rows_written": inserted + told["won"] + told["same"] + deletes,
        "rows_deduplicated": told["lost"],
        "rows_inserted": inserted,
        "rows_updated": told["won"],
        "rows_closed": told["closed"],
    }
    return Written(counts, columns, content_sum, came, commit)


def _times(incoming: DataFrame, known: DataFrame, k: list[str]) -> DataFrame:
    """Each version of the incoming keys from the first incoming event on, with its end: in order of time every version ends
    at the next event of its key, be it a version (kind 0) or a deletion (kind 1)."""
    events = incoming.select(*k, "moment", "deletes")
    starts = known.selectExpr(*k, "starts as moment")
    versions = starts.selectExpr(*k, "moment", "0 as kind", "false as new")
    new = events.where("not deletes").join(starts, [*k, "moment"], "left_anti")
    new = new.selectExpr(*k, "moment", "0 as kind", "true as new")
    ended = known.where("former is not null and former <> starts").selectExpr(
        *k, "former as moment"
    )
    ended = ended.join(starts, [*k, "moment"], "left_anti")
    deleted = events.where("deletes").select(*k, "moment").unionByName(ended)
    deleted = deleted.selectExpr(*k, "moment", "1 as kind", "false as new")
    all_times = versions.unionByName(new).unionByName(deleted)
    return all_times.selectExpr(
        "*", f"lead(moment) over (partition by {', '.join(k)} order by moment, kind) as ends"
    ).where("kind = 0")

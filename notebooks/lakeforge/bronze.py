"""Bronze: every manifest that no commit has taken yet, in order, as rows with their audit columns, in one commit."""

from __future__ import annotations

import re

from pyspark.sql import DataFrame

from .context import Context
from .errors import LakeForgeError, step_error
from .extractors.manifests import Manifest, read_manifests
from .finish import Shaped, finish
from .inputs import open_references
from .names import literal, quote
from .plan import Step, step_of
from .raw.scan import scan
from .raw.shape import Shape, inspect
from .report import Outcome, empty_outcome
from .row_text import row_text_sql
from .schema_policy import EVOLVED, Evolved, evolve
from .target import Target, idle, open_target, read_version, settled

# Columns that bronze adds; their values come from the batch and the reader, not from the source.
AUDIT = ("_batch_id", "_source_file", "_ingested_at", "_row_id", "_rescued_data", "_source")


def run_bronze(context: Context, step: Step) -> Outcome:
    target = open_target(context, step)
    done = settled(context, target)
    if done is not None:
        return done
    raw = step_of(context.plan, step["raw"])
    manifests = read_manifests(
        context.lake,
        raw["source"]["name"],
        raw["name"],
        after=None if target.last_seq < 0 else target.last_seq,
        before=target.seq + 1,
    )
    if step["write"] == "replace":
        # What replaces a table is the newest state alone.
        manifests = manifests[-1:]
    if not manifests and target.state is not None:
        return idle(target, {})
    shape = inspect(context, raw, manifests)
    schema = evolve(context, step, raw, target.state, shape)
    if schema.refused:
        changes = ", ".join(f"{change['column']} {change['kind']}" for change in schema.changes)
        error = LakeForgeError("schema_frozen", table=step["target"], changes=changes)
        return empty_outcome("failed", schema_changes=schema.changes, error=step_error(error))
    try:
        return _load(context, step, raw, target, manifests, schema, shape)
    except LakeForgeError:
        raise
    except Exception as error:
        raise raw_error(error, shape) or error from error


def _load(
    context: Context,
    step: Step,
    raw: Step,
    target: Target,
    manifests: list[Manifest],
    schema: Evolved,
    shape: Shape,
) -> Outcome:
    policies = {each["column"]: each["policy"] for each in step["column_policies"]}
    given = {
        "_batch_id": literal(context.input["batch_id"]),
        "_ingested_at": f"timestamp'{context.input['batch_time']}'",
        "_source": literal(step["source_tag"] or ""),
    }
    mine = [(c["name"], c["type"], c.get("source_name") or c["name"]) for c in step["columns"]]
    mine += [(name, kind, name) for name, kind in schema.added]
    names = {name.lower() for name, _, _ in mine}
    # What other configs of a fan-in bring, and what was pinned once: the table keeps it, empty in these rows.
    others = [
        (name, kind)
        for name, kind in (target.state.columns if target.state else [])
        if name.lower() not in names
    ]
    items = []
    for name, kind, source in mine:
        value = (
            given.get(name, quote(name))
            if name in AUDIT
            else _protect(policies.get(source), quote(source))
        )
        items.append(f"if(true, cast({value} as {kind}), null) as {quote(name)}")
    items += [f"cast(null as {kind}) as {quote(name)}" for name, kind in others]
    columns = [(name, kind) for name, kind, _ in mine] + others
    rows = context.keep(scan(context, shape, schema.read).selectExpr(*items))
    read = rows.count()
    lag = (raw["cursor"] or {}).get("lag_s")
    again = lag is not None and target.state is not None and any(m["cursor"] for m in manifests)
    rows, known = _without_known(context, target, columns, rows) if again else (rows, 0)
    inputs: dict[str, int] = {}
    references = open_references(context, step, target, inputs)
    return finish(
        context,
        step,
        target,
        Shaped(
            rows,
            columns,
            load_type=step["write"],
            keys=[],
            dedupe=False,
            has_delete=False,
            has_sequence=False,
            sequence_type=None,
            sequence_column=None,
            inputs=inputs,
            references=references,
            counts={
                "rows_read": read,
                "rows_deduplicated": known,
                "bytes_read": sum(file["size"] for m in manifests for file in m["files"]),
            },
            manifests=[manifest["seq"] for manifest in manifests],
            schema_changes=schema.changes,
            warnings=_null_cursors(manifests),
            properties={}
            if schema.evolved is None
            else {f"{EVOLVED}{step['config_id']}": schema.evolved},
        ),
    )


def _protect(policy: str | None, value: str) -> str:
    """A masked value is gone for good, a hashed one can still be compared. NULL stays NULL."""
    if policy == "mask":
        return f"if({value} is null, null, '***')"
    return f"sha2({value}, 256)" if policy == "hash" else value


def _without_known(
    context: Context, target: Target, columns: list[tuple[str, str]], rows: DataFrame
) -> tuple[DataFrame, int]:
    """Rows that a lag made the source give again: equal in every column of the source to a row that is in the table, or that
    came twice in this batch."""
    state = target.state
    if state is None:
        return rows, 0
    text = f"md5({row_text_sql([c for c in columns if c[0] not in AUDIT])})"
    there = {name for name, _ in state.columns}
    filled = [
        quote(name) if name in there else f"cast(null as {kind}) as {quote(name)}"
        for name, kind in columns
    ]
    table = read_version(context, target.table, state.version)
    known = table.selectExpr(*filled).selectExpr(f"{text} as __text").distinct()
    marked = rows.selectExpr("*", f"{text} as __text").selectExpr(
        "*", "row_number() over (partition by __text order by _row_id) as __n"
    )
    fresh = context.keep(marked.where("__n = 1").join(known, "__text", "left_anti"))
    return fresh.select(*[quote(name) for name, _ in columns]), rows.count() - fresh.count()


def _null_cursors(manifests: list[Manifest]) -> list[str]:
    rows = sum((manifest["cursor"] or {}).get("null_rows") or 0 for manifest in manifests)
    return [f"{rows} rows of the source have no cursor value and were not read."] if rows else []


def raw_error(error: BaseException, shape: Shape) -> LakeForgeError | None:
    """What a failed read of raw files means; None when it isn't about them."""
    text = str(error)
    files = [file.source_path for group in shape.groups for file in group.files]
    name = files[0] if len(files) == 1 else "a raw file"
    if found := re.search(r"LAKEFORGE:value ([^\n]+?)(?: SQLSTATE|\n|$)", text):
        return LakeForgeError("raw_value_invalid", reason=found[1])
    if "LAKEFORGE:malformed" in text:
        if shape.format in ("csv", "tsv"):
            reason = "more or fewer values than its header"
            return LakeForgeError("csv_malformed", file=name, reason=reason)
        return LakeForgeError("json_malformed", file=name, reason="it is not well-formed")
    if re.search(r"is not a Parquet file|FAILED_READ_FILE|CANNOT_READ_FILE_FOOTER", text):
        return LakeForgeError("file_unreadable", reason=name)
    return None

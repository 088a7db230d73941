"""What all zones share once rows have the shape of their table: rules, dedupe, write, publish."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from pyspark.sql import DataFrame

from .checks import ERRORS_TYPE, judge
from .context import Context
from .errors import LakeForgeError, fail, step_error
from .lake import quarantine_table, table_state
from .names import literal, quote
from .plan import Step
from .plugins import WRITER, plugin
from .profiles import profiles_of
from .report import Outcome, balance, empty_outcome
from .row_text import content_sum, hash_text, is_approximate
from .target import Target, known_sum, metrics_of, read_version, write_record
from .writers import WRITERS
from .writers.dedupe import dedupe
from .writers.writer import Load, Written, commit_options


@dataclass(frozen=True)
class Shaped:
    """`rows`: the table's columns in order, then `__sequence` and `__delete` if there are."""

    rows: DataFrame
    columns: list[tuple[str, str]]
    load_type: str
    keys: list[str]
    dedupe: bool
    has_delete: bool
    has_sequence: bool
    sequence_type: str | None
    sequence_column: str | None
    inputs: dict[str, int]
    references: dict[str, DataFrame]
    counts: dict[str, int]
    manifests: list[str] | None = None
    schema_changes: list[dict[str, Any]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    """Table properties that come with this batch, beside those of the plan."""
    properties: dict[str, str] = field(default_factory=dict)


def finish(context: Context, step: Step, target: Target, shaped: Shaped) -> Outcome:
    """Rules, dedupe, write and commit. Raises what the writer refuses; then nothing is committed."""
    state = target.state
    there = read_version(context, target.table, state.version) if state is not None else None
    pii = {column["name"].lower() for column in step["columns"] if column.get("pii")}
    verdict = judge(
        context.spark,
        shaped.rows,
        shaped.columns,
        step["rules"],
        batch_id=context.input["batch_id"],
        quarantine=step["quarantine"],
        target=there if shaped.load_type == "append" else None,
        table=lambda name: _reference(shaped, step, name),
        pii=pii,
    )
    broken = verdict.failed
    if broken is not None:
        error = LakeForgeError(
            "rule_failed",
            rule=broken["name"],
            failed=broken["rows_failed"],
            checked=broken["rows_checked"],
            table=target.table,
        )
        return empty_outcome(
            "failed",
            counts=shaped.counts,
            input_versions=shaped.inputs,
            rules=verdict.results,
            schema_changes=shaped.schema_changes,
            error=step_error(error),
        )
    rows, deduplicated = verdict.good, 0
    if shaped.dedupe:
        rows, deduplicated = dedupe(context, rows, shaped)
    own = step["properties"].get(WRITER)
    writer = plugin(own, "write") if own is not None else WRITERS.get(shaped.load_type)
    if writer is None:
        fail("load_type_unsupported", load_type=shaped.load_type)
    former = known_sum(state)
    if former is None and there is not None and state is not None:
        former = content_sum(there, state.columns)
    load = Load(context, target.table, state, there, rows, former or 0, shaped)
    written = writer(load)
    counts = _sum(
        shaped.counts, verdict.counts, written.counts, {"rows_deduplicated": deduplicated}
    )
    wrong = balance(counts)
    if wrong is not None:
        fail("balance_open", table=target.table, balance=wrong)
    return _publish(context, step, target, shaped, written, counts, verdict.bad, verdict.results)


def _publish(
    context: Context,
    step: Step,
    target: Target,
    shaped: Shaped,
    written: Written,
    counts: dict[str, int],
    bad: DataFrame | None,
    rules: list[dict[str, Any]],
) -> Outcome:
    """The record, the quarantine's commit and the table's, in this order. A crash anywhere leaves the batch repeatable."""
    note: dict[str, Any] = {
        "lakeforge": 1,
        "batch_id": context.input["batch_id"],
        "seq": context.input["seq"],
        "step": step["key"],
        "config_id": step["config_id"],
        "epoch": target.app_id.rsplit("/", 1)[1],
        "plan_hash": context.input["plan_hash"],
        "definition": target.definition,
        "inputs": shaped.inputs,
        **({} if shaped.manifests is None else {"manifests": shaped.manifests}),
        "counts": counts,
        "rules": [{k: v for k, v in rule.items() if k != "samples"} for rule in rules],
        "schema_changes": shaped.schema_changes,
        "content_hash": hash_text(written.content_sum, written.columns),
        "hash_approximate": is_approximate(written.columns),
        "warnings": shaped.warnings,
    }
    if context.replay:
        return _compared(target, note, rules)
    profiles = profiles_of(written.new_rows, written.columns)
    # From here on the step comes to its end, whoever asks it to stop: what is committed must be reported.
    context.check()
    write_record(
        context,
        {
            "format": 1,
            "step": step["key"],
            "plan_hash": context.input["plan_hash"],
            "app_id": target.app_id,
            "inputs": shaped.inputs,
            "profiles": profiles,
            "samples": {rule["rule_id"]: rule["samples"] for rule in rules},
        },
    )
    text = json.dumps(note, ensure_ascii=False)
    _commit_quarantine(context, step, target, shaped, bad, text)
    written.commit(text, target.app_id, {**step["properties"], **shaped.properties})
    now = table_state(context.spark, context.lake, target.table)
    own = now.find(target.app_id, target.seq) if now is not None else None
    if own is None:
        return fail("delta_conflict", table=target.table, version="of this batch")
    return empty_outcome(
        "succeeded",
        counts={**counts, **metrics_of(own)},
        input_versions=shaped.inputs,
        delta_version_before=target.state.version if target.state else None,
        delta_version_after=own.version,
        content_hash=note["content_hash"],
        hash_approximate=note["hash_approximate"],
        rules=rules,
        schema_changes=shaped.schema_changes,
        profiles=profiles,
        warnings=shaped.warnings,
    )


def _commit_quarantine(
    context: Context, step: Step, target: Target, shaped: Shaped, bad: DataFrame | None, note: str
) -> None:
    table = quarantine_table(target.table)
    newest = target.quarantine.find(target.app_id) if target.quarantine else None
    # A former attempt of this batch came this far, with the same rows.
    if newest is not None and int(newest.note["seq"]) >= target.seq:
        return
    if newest is not None and int(newest.note["seq"]) > target.last_seq:
        # A batch that came as far as its quarantine, and no further: its rows are in this batch again.
        tag = step.get("source_tag")
        mine = "" if tag is None else f" and _source = {literal(tag)}"
        context.spark.sql(
            f"delete from {context.lake.ident(table)} "
            f"where _errors[0].batch_id = {literal(newest.note['batch_id'])}{mine}"
        )
    if bad is None:
        return
    columns = [*shaped.columns, ("_errors", ERRORS_TYPE)]
    frame = bad.selectExpr(
        *[f"if(true, cast({quote(n)} as {kind}), null) as {quote(n)}" for n, kind in columns]
    )
    writer = commit_options(frame.write, note, target.app_id, target.seq)
    _save(context, writer.mode("append").option("mergeSchema", "true"), table)


def _save(context: Context, writer: Any, table: str) -> None:
    if context.lake.catalog is None:
        writer.save(context.lake.table_dir(table))
    else:
        writer.saveAsTable(context.lake.ident(table))


def _reference(shaped: Shaped, step: Step, name: str) -> DataFrame:
    found = shaped.references.get(name)
    return found if found is not None else fail("input_missing", step=step["key"], table=name)


def _sum(*parts: dict[str, int]) -> dict[str, int]:
    total: dict[str, int] = {}
    for part in parts:
        for name, value in part.items():
            total[name] = total.get(name, 0) + int(value)
    return total


def _compared(target: Target, note: dict[str, Any], rules: list[dict[str, Any]]) -> Outcome:
    """What a batch that was run again came to, beside what it had come to before."""
    own = target.compare
    if own is None:
        return fail("internal")
    before, now = own.note["counts"], note["counts"]
    names = [n for n in {**before, **now} if not n.startswith("bytes_") and n != "files_rewritten"]
    differing = [
        f"{name} {before.get(name, 0)} → {now.get(name, 0)}"
        for name in names
        if before.get(name, 0) != now.get(name, 0)
    ]
    if own.note["content_hash"] != note["content_hash"]:
        differing.append(f"content_hash {own.note['content_hash']} → {note['content_hash']}")
    error = None
    if differing:
        said = ", ".join(differing)
        error = step_error(LakeForgeError("replay_differs", table=target.table, differences=said))
    return empty_outcome(
        "failed" if differing else "succeeded",
        counts=now,
        input_versions=note["inputs"],
        delta_version_before=target.state.version if target.state else None,
        delta_version_after=own.version,
        content_hash=note["content_hash"],
        hash_approximate=note["hash_approximate"],
        rules=rules,
        schema_changes=note["schema_changes"],
        error=error,
    )

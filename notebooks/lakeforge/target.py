"""A step's table as this batch finds it: what is there, whether the batch has committed already, and what it remembers beside
the data. The Delta log is the truth; a report that was lost is made again from it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from .context import Context
from .errors import fail
from .lake import Found, TableState, quarantine_table, read_json, table_state, write_durable
from .plan import Step, definition_of
from .report import Outcome, empty_outcome
from .row_text import hash_text, is_approximate, sum_of

EPOCH = "lakeforge.epoch"
# Version of a table that doesn't exist yet: everything that comes is newer.
NOTHING = -1


@dataclass(frozen=True)
class Target:
    table: str
    """None: no table yet."""
    state: TableState | None
    quarantine: TableState | None
    app_id: str
    seq: int
    """The last batch that this step committed; -1 when none."""
    last_seq: int
    last: Found | None
    definition: str
    """Set when a batch is run again to be compared: its own commit, whose state before is `state`."""
    compare: Found | None = None


def open_target(context: Context, step: Step) -> Target:
    """Reads the table and its quarantine."""
    spark, lake = context.spark, context.lake
    table = step["target"]
    seq = int(context.input["seq"])
    state = table_state(spark, lake, table)
    if context.replay:
        return _former(context, step, state, seq)
    app_id = f"{step['config_id']}/{(state.properties if state else {}).get(EPOCH, '0')}"
    last = state.find(app_id) if state else None
    last_seq = int(last.note["seq"]) if last else -1
    if state is not None and last is None and not state.complete:
        last_seq = _transaction(context, table, app_id)
    return Target(
        table,
        state,
        table_state(spark, lake, quarantine_table(table)),
        app_id,
        seq,
        last_seq,
        last,
        definition_of(step),
    )


def _transaction(context: Context, table: str, app_id: str) -> int:
    """The log counts what its cleaned commits said. Only a session with a JVM of its own can ask."""
    jvm = getattr(context.spark, "_jvm", None)
    if jvm is None or context.lake.catalog is not None:
        return fail("history_gone", table=table, input=table)
    log = jvm.org.apache.spark.sql.delta.DeltaLog.forTable(
        context.spark._jsparkSession, context.lake.table_dir(table)
    )
    known = log.update(False, jvm.scala.Option.empty(), jvm.scala.Option.empty()).transactions()
    return int(known.apply(app_id)) if known.contains(app_id) else -1


def _former(context: Context, step: Step, state: TableState | None, seq: int) -> Target:
    """The table as this batch found it."""
    own: Found | None = None
    epoch = int((state.properties if state else {}).get(EPOCH, "0"))
    app_id = f"{step['config_id']}/{epoch}"
    while state is not None and own is None and epoch >= 0:
        app_id = f"{step['config_id']}/{epoch}"
        found = state.find(app_id, seq)
        own = found if found is not None and not found.note.get("carried") else None
        epoch -= 1
    before = own.version - 1 if own else -1
    former = None
    last = None
    if state is not None and own is not None and before >= 0:
        frame = read_version(context, step["target"], before)
        former = TableState(
            before,
            [(field.name, field.dataType.simpleString()) for field in frame.schema.fields],
            state.properties,
            [found for found in state.notes if found.version <= before],
            state.complete,
        )
        last = former.find(app_id)
    last_seq = int(last.note["seq"]) if last else -1
    return Target(
        step["target"], former, None, app_id, seq, last_seq, last, definition_of(step), own
    )


def read_version(context: Context, table: str, version: int) -> Any:
    """A table's rows at one version."""
    reader = context.spark.read.option("versionAsOf", version)
    if context.lake.catalog is None:
        return reader.format("delta").load(context.lake.table_dir(table))
    return reader.table(context.lake.ident(table))


def settled(context: Context, target: Target) -> Outcome | None:
    """How this step ended, if it need not run: this batch's own commit is in the log, or a later batch has taken its input.
    None: it must run. Raises seq_order."""
    if context.replay:
        said = f"This batch wrote nothing to {target.table}: there is nothing to compare."
        return empty_outcome("succeeded", warnings=[said]) if target.compare is None else None
    if target.state is not None and target.last_seq >= target.seq:
        own = target.state.find(target.app_id, target.seq)
        if own is not None:
            return outcome_of(context, own)
        return _superseded(target, target.last)
    # A later batch that came as far as its quarantine has taken this one's rows with it.
    later = target.quarantine.find(target.app_id) if target.quarantine else None
    if later is not None and int(later.note["seq"]) > target.seq:
        return _superseded(target, later)
    return None


def _superseded(target: Target, found: Found | None) -> Outcome:
    if found is None:
        return fail("seq_order", table=target.table, seq=target.seq, last=target.last_seq)
    return empty_outcome("skipped", root_cause=found.note["batch_id"])


def outcome_of(context: Context, found: Found) -> Outcome:
    """The report of a commit, as the attempt that made it would have given it."""
    note = found.note
    record = read_json(context.lake.record_path(note["batch_id"], note["step"])) or {}
    samples = record.get("samples", {})
    return empty_outcome(
        "succeeded",
        counts={**note["counts"], **metrics_of(found)},
        input_versions=note["inputs"],
        delta_version_before=None if found.version == 0 else found.version - 1,
        delta_version_after=found.version,
        content_hash=note["content_hash"],
        hash_approximate=note["hash_approximate"],
        rules=[{**rule, "samples": samples.get(rule["rule_id"], [])} for rule in note["rules"]],
        schema_changes=note["schema_changes"],
        profiles=record.get("profiles", []),
        warnings=note["warnings"],
    )


def metrics_of(found: Found) -> dict[str, int]:
    """What only the commit can count: bytes, and files that a merge wrote anew."""
    merge = "numTargetRowsCopied" in found.metrics or "numTargetFilesRemoved" in found.metrics
    names = (
        {"files_rewritten": "numTargetFilesRemoved", "bytes_written": "numTargetBytesAdded"}
        if merge
        else {"bytes_written": "numOutputBytes"}
    )
    return {
        ours: int(found.metrics[theirs])
        for ours, theirs in names.items()
        if found.metrics.get(theirs, "").isdigit()
    }


def idle(target: Target, inputs: dict[str, int]) -> Outcome:
    """The report of a step that had nothing to do: its table stays as it is."""
    state = target.state
    columns = state.columns if state else []
    return empty_outcome(
        "succeeded",
        input_versions=inputs,
        delta_version_before=state.version if state else None,
        delta_version_after=state.version if state else None,
        content_hash=hash_text(known_sum(state), columns),
        hash_approximate=is_approximate(columns),
    )


def known_sum(state: TableState | None) -> int | None:
    """The content sum of the table as its newest commit tells it; None when another writer made that one."""
    if state is None:
        return 0
    newest = state.notes[0] if state.notes else None
    if newest is None or newest.version != state.version or newest.note.get("carried"):
        return None
    return sum_of(newest.note["content_hash"])


def read_record(context: Context, step: str) -> dict[str, Any] | None:
    """What an attempt of this step wrote down before its first commit; None when none came so far."""
    return read_json(context.lake.record_path(context.input["batch_id"], step))


def write_record(context: Context, record: dict[str, Any]) -> None:
    """Remembers, beside the data, what the step reads in every attempt."""
    path = context.lake.record_path(context.input["batch_id"], record["step"])
    write_durable(path, json.dumps(record, ensure_ascii=False))

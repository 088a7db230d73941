"""State beside the data: `_lakeforge_state`, a Delta table below the lake's root, from which a run that nobody gave a batch id
takes its number, and in which it leaves what came of it."""

from __future__ import annotations

import datetime as dt
import json
import os
import uuid

from pyspark.sql import SparkSession

from .errors import condition_of, fail
from .lake import Lake
from .names import literal, quote
from .plan import Plan, RunInput, plan_hash
from .report import Outcome

_COLUMNS = (
    "group_id string, environment string, seq bigint, batch_id string, plan_hash string, "
    "batch_time timestamp, state string, reports string"
)
_ATTEMPTS = 20


def _ident(lake: Lake) -> str:
    if lake.catalog is None:
        return f"delta.{quote(os.path.join(lake.root, '_lakeforge_state'))}"
    return f"{quote(lake.catalog)}.{quote(lake.prefix + 'lakeforge')}.`_lakeforge_state`"


def begin(
    spark: SparkSession,
    lake: Lake,
    plan: Plan,
    environment: str,
    batch_id: str | None = None,
    now: dt.datetime | None = None,
) -> RunInput:
    """The run input of a batch: that of `batch_id` if it has begun before (a retry), else a new one with the next number of
    its group and environment. Two that begin at once get two numbers."""
    spark.sql(f"create table if not exists {_ident(lake)} ({_COLUMNS}) using delta")
    batch = batch_id or str(uuid.uuid4())
    moment = (now or dt.datetime.now(dt.UTC)).astimezone(dt.UTC)
    group, mine = plan["group"]["id"], plan_hash(plan)
    where = f"group_id = {literal(group)} and environment = {literal(environment)}"
    for _ in range(_ATTEMPTS):
        found = spark.sql(
            f"select * from {_ident(lake)} where {where} and batch_id = {literal(batch)}"
        ).first()
        if found is not None:
            time = found["batch_time"].replace(tzinfo=dt.UTC)
            return _input(batch, found["plan_hash"], plan, environment, found["seq"], time)
        last = spark.sql(
            f"select coalesce(max(seq), 0) as seq from {_ident(lake)} where {where}"
        ).first()
        seq = int(last["seq"]) + 1
        # A merge reads what it writes by: of two with one number, one finds its reading changed and tries again.
        try:
            spark.sql(
                f"merge into {_ident(lake)} as t using (select {literal(group)} as group_id, "
                f"{literal(environment)} as environment, {seq}L as seq, {literal(batch)} as batch_id, "
                f"{literal(mine)} as plan_hash, timestamp'{moment.isoformat()}' as batch_time, "
                "'running' as state, cast(null as string) as reports) as s "
                "on t.group_id = s.group_id and t.environment = s.environment and t.seq = s.seq "
                "when not matched then insert *"
            )
        except Exception as error:
            if not _concurrent(error):
                raise
    return fail("delta_conflict", table="_lakeforge_state", version="of this batch")


def end(
    spark: SparkSession, lake: Lake, run_input: RunInput, outcomes: dict[str, Outcome], state: str
) -> None:
    """Keeps how a batch ended; `outcomes` of several notebooks of one batch add up."""
    where = f"batch_id = {literal(run_input['batch_id'])} and seq = {int(run_input['seq'])}"
    # Tasks of one job end at once: who finds the row changed reads it again.
    for _ in range(_ATTEMPTS):
        found = spark.sql(f"select state, reports from {_ident(lake)} where {where}").first()
        if found is None:
            return
        reports = {**json.loads(found["reports"] or "{}"), **outcomes}
        text = json.dumps(reports, ensure_ascii=False)
        failed = any(outcome["state"] == "failed" for outcome in reports.values())
        now = "failed" if failed else state
        try:
            spark.sql(
                f"update {_ident(lake)} set state = {literal(now)}, reports = {literal(text)} "
                f"where {where}"
            )
        except Exception as error:
            if not _concurrent(error):
                raise
        else:
            return
    fail("delta_conflict", table="_lakeforge_state", version="of this batch")


def _concurrent(error: Exception) -> bool:
    return "Concurrent" in str(error) or "CONCURRENT" in str(condition_of(error))


def _input(
    batch_id: str, hashed: str, plan: Plan, environment: str, seq: int, moment: dt.datetime
) -> RunInput:
    return {
        "format": 1,
        "batch_id": batch_id,
        "plan_hash": hashed,
        "group": plan["group"]["id"],
        "environment": environment,
        "seq": str(seq),
        "batch_time": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        # The manifests of the raw objects know where the next read goes on.
        "watermarks": {},
    }

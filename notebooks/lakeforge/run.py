"""Runs steps: one by key, as a worker is told, or all of a plan in their order, as a notebook does."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from threading import Event
from typing import Any

from pyspark.sql import SparkSession

from .bronze import run_bronze
from .context import Context, Say, quiet
from .errors import fail, step_error
from .lake import Lake
from .plan import Plan, RunInput, step_of
from .report import Outcome, empty_outcome
from .row_text import prepare
from .secrets import secret_reader
from .session import new_session
from .source_raw import run_raw
from .transform import run_gold, run_silver

ZONES: dict[str, Callable[[Context, dict[str, Any]], Outcome]] = {
    "raw": run_raw,
    "bronze": run_bronze,
    "silver": run_silver,
    "gold": run_gold,
}


def run_step(
    spark: SparkSession,
    lake: Lake,
    plan: Plan,
    run_input: RunInput,
    key: str,
    *,
    say: Say = quiet,
    stopping: Event | None = None,
    home: str | None = None,
    replay: bool = False,
) -> Outcome:
    """Runs one step to its end, in a session of its own. What goes wrong is in the outcome."""
    own = new_session(spark)
    stop = stopping or Event()
    secret = secret_reader(home)
    context = Context(own, lake, plan, run_input, say, stop, secret, replay, ([],))
    try:
        context.check()
        prepare(own)
        step = step_of(plan, key)
        return ZONES[step["zone"]](context, step)
    except Exception as error:
        if stop.is_set():
            return empty_outcome("failed", error=step_error(_interrupted()))
        _trace(error)
        return empty_outcome("failed", error=step_error(error))
    finally:
        context.release()


def run_plan(
    spark: SparkSession,
    lake: Lake,
    plan: Plan,
    run_input: RunInput,
    zones: Iterable[str],
    *,
    say: Say = quiet,
    home: str | None = None,
    only: str | None = None,
) -> dict[str, Outcome]:
    """Runs the steps of some zones, or `only` one of them, one after the other, in the plan's order, in which each stands
    after those that it depends on. Step key -> outcome. A step below a failed one is skipped, naming it."""
    outcomes: dict[str, Outcome] = {}
    lost: dict[str, str] = {}
    wanted = set(zones)
    for step in plan["steps"]:
        key = step["key"]
        if step["zone"] not in wanted or (only is not None and key != only):
            continue
        cause = next((lost[each] for each in step["depends_on"] if each in lost), None)
        if cause is None and lost and plan["group"]["on_failure"] == "stop":
            cause = next(iter(lost.values()))
        if cause is not None:
            outcomes[key] = empty_outcome("skipped", root_cause=cause)
            lost[key] = cause
            continue
        outcomes[key] = run_step(spark, lake, plan, run_input, key, say=say, home=home)
        if outcomes[key]["state"] == "failed":
            lost[key] = key
    return outcomes


def _interrupted() -> Exception:
    try:
        fail("step_interrupted")
    except Exception as error:
        return error


def _trace(error: BaseException) -> None:
    """For who debugs: the whole error, values included, goes nowhere else."""
    import os
    import traceback

    if os.environ.get("LAKEFORGE_DEBUG"):
        traceback.print_exception(error)

"""What the notebooks share: widgets to a run, and a run to an exit value. No secret is in a widget, a log or an exit value."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession

from . import state
from .lake import Lake, open_root
from .plan import Plan, RunInput, parse_plan, parse_run_input
from .report import Outcome
from .run import run_plan
from .session import open_session

# Name, default, label. A plan path is all that a run by hand needs beside the lake's root.
WIDGETS = (
    ("plan", "", "Path of the plan (JSON)"),
    ("run_input", "", "Path of the run input (JSON); empty: a new batch"),
    ("root", "", "Folder of the lake"),
    ("catalog", "", "Catalog of the tables; empty: Delta tables below the root"),
    ("prefix", "", "Before schema names"),
    ("environment", "manual", "Environment"),
    ("batch_id", "", "Batch; empty: a new one"),
    ("step", "", "Key of one step; empty: all of the zones"),
)


@dataclass(frozen=True)
class Run:
    spark: SparkSession
    lake: Lake
    plan: Plan
    input: RunInput
    """The run took its number from the lake's own state."""
    own: bool
    """Key of the one step to run; None: all."""
    step: str | None = None


def read_widgets(dbutils: Any) -> dict[str, str]:
    """Makes the widgets and reads them."""
    for name, default, label in WIDGETS:
        dbutils.widgets.text(name, default, label)
    return {name: dbutils.widgets.get(name).strip() for name, _, _ in WIDGETS}


def open_run(dbutils: Any) -> Run:
    """The run that the widgets describe."""
    given = read_widgets(dbutils)
    spark = open_session()
    lake = Lake(open_root(given["root"]), given["catalog"] or None, given["prefix"])
    plan = parse_plan(Path(given["plan"]).read_text(encoding="utf-8"))
    if given["run_input"]:
        text = Path(given["run_input"]).read_text(encoding="utf-8")
        return Run(spark, lake, plan, parse_run_input(text), False, given["step"] or None)
    batch_id = given["batch_id"] or None
    run_input = state.begin(spark, lake, plan, given["environment"], batch_id)
    return Run(spark, lake, plan, run_input, True, given["step"] or None)


def run_zones(dbutils: Any, zones: Iterable[str]) -> dict[str, Outcome]:
    """Runs the steps of some zones and leaves the notebook with their reports as exit value. A failed step fails the
    notebook, after its report is kept."""
    run = open_run(dbutils)
    outcomes = run_plan(run.spark, run.lake, run.plan, run.input, zones, say=_say, only=run.step)
    failed = [key for key, outcome in outcomes.items() if outcome["state"] == "failed"]
    if run.own:
        state.end(run.spark, run.lake, run.input, outcomes, "failed" if failed else "succeeded")
    if failed:
        raise StepsFailed(outcomes, failed)
    dbutils.notebook.exit(exit_value(run.input, outcomes))
    return outcomes


class StepsFailed(Exception):
    """Some steps failed; the message names them with code, message and hint."""

    def __init__(self, outcomes: dict[str, Outcome], failed: list[str]) -> None:
        errors = {key: outcomes[key]["error"] for key in failed}
        super().__init__(json.dumps(errors, ensure_ascii=False))
        self.outcomes = outcomes


def exit_value(run_input: RunInput, outcomes: dict[str, Outcome]) -> str:
    """The reports as JSON. Samples are rows: they stay beside the data."""
    plain = {
        key: {
            **outcome,
            "rules": [
                {k: v for k, v in rule.items() if k != "samples"} for rule in outcome["rules"]
            ],
        }
        for key, outcome in outcomes.items()
    }
    text = {"batch_id": run_input["batch_id"], "seq": run_input["seq"], "steps": plain}
    return json.dumps(text, ensure_ascii=False)


def _say(level: str, text: str, _progress: dict[str, Any] | None) -> None:
    if level != "debug":
        print(f"{level}: {text}")

"""Plan and run input: the two JSON values that say what a batch does, checked against their generated schemas."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from .errors import fail
from .schema_check import faults

Step = dict[str, Any]
Plan = dict[str, Any]
RunInput = dict[str, Any]

SCHEMAS: dict[str, Any] = json.loads(
    (Path(__file__).parent / "plan.schema.json").read_text(encoding="utf-8")
)


def parse_plan(text: str) -> Plan:
    """A plan from its JSON. Raises plan_invalid naming what doesn't fit."""
    return _checked(text, "plan")


def parse_run_input(text: str) -> RunInput:
    """A run input from its JSON. Raises plan_invalid naming what doesn't fit."""
    return _checked(text, "run_input")


def check_plan(value: Any) -> Plan:
    """The value, if it is a plan."""
    return _fitting(value, "plan")


def check_run_input(value: Any) -> RunInput:
    """The value, if it is a run input."""
    return _fitting(value, "run_input")


def step_of(plan: Plan, key: str) -> Step:
    """The step of that key. Raises not_found."""
    found = next((step for step in plan["steps"] if step["key"] == key), None)
    return found if found is not None else fail("not_found", kind="step", name=key)


def canonical_json(value: Any) -> str:
    """JSON with sorted keys and no spaces: the same text that TypeScript gives for the same value."""
    return json.dumps(_plain(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def plan_hash(plan: Plan) -> str:
    """sha256 over the canonical JSON, in hex."""
    return hashlib.sha256(canonical_json(plan).encode()).hexdigest()


def definition_of(step: Step) -> str:
    """sha256 of the step as planned. Order, retries and timeouts say nothing of what a table holds."""
    meaning = {k: v for k, v in step.items() if k not in ("depends_on", "retries", "timeout_s")}
    return hashlib.sha256(canonical_json(meaning).encode()).hexdigest()


def _plain(value: Any) -> Any:
    """JavaScript has one kind of number: 1.0 is written 1."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e21:
        return int(value)
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, list) else value


def _checked(text: str, name: str) -> Any:
    try:
        value = json.loads(text)
    except ValueError:
        return fail("json_invalid")
    return _fitting(value, name)


def _fitting(value: Any, name: str) -> Any:
    found = list(faults(value, SCHEMAS[name]))
    if found:
        fail("plan_invalid", what=name.replace("_", " "), reason="; ".join(found[:5]))
    return value

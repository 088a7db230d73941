"""Silver and gold: from a query to the rows of a table."""

from __future__ import annotations

from typing import Any

from .context import Context
from .finish import Shaped, finish
from .inputs import Inputs, open_inputs
from .names import quote
from .plan import Step
from .plugins import TRANSFORM, plugin
from .report import Outcome
from .sql_text import rewrite, view_names
from .target import Target, idle, open_target, settled

# Load types that read all of their first table each time.
WHOLE = ("replace", "snapshot")
_GOLD: dict[str, Any] = {
    "load_type": "replace",
    "keys": [],
    "dedupe": False,
    "has_where": False,
    "has_delete": False,
    "has_sequence": False,
    "sequence_type": None,
    "sequence_column": None,
}


def run_silver(context: Context, step: Step) -> Outcome:
    """Expressions, rules, dedupe, write. Incremental load types take the new rows of their first table."""
    return _run(context, step, step, step["load_type"] not in WHOLE)


def run_gold(context: Context, step: Step) -> Outcome:
    """A query over tables as they stand, replacing the whole table."""
    return _run(context, step, _GOLD, False)


def _run(context: Context, step: Step, shape: dict[str, Any], incremental: bool) -> Outcome:
    target = open_target(context, step)
    done = settled(context, target)
    if done is not None:
        return done
    inputs = open_inputs(context, step, target, incremental)
    views = view_names(step["query"], inputs.frames)
    query, by_time = rewrite(step["query"], views, context.input["batch_time"])
    if not context.replay and _unchanged(target, inputs, by_time):
        return idle(target, inputs.versions)
    for table, view in views.items():
        inputs.frames[table].createOrReplaceTempView(quote(view))
    columns = [(column["name"], column["type"]) for column in step["columns"]]
    extras = [
        *([("__keep", "boolean")] if shape["has_where"] else []),
        *([("__sequence", shape["sequence_type"])] if shape["has_sequence"] else []),
        *([("__delete", "boolean")] if shape["has_delete"] else []),
    ]
    own = step["properties"].get(TRANSFORM)
    answer = context.spark.sql(query)
    if own is not None:
        answer = plugin(own, "transform")(context.spark, answer, step)
    rows = answer.selectExpr(
        # `if` keeps a column nullable that this query happens to give without nulls.
        *[
            f"if(true, cast({quote(n)} as {kind}), null) as {quote(n)}"
            for n, kind in columns + extras
        ]
    )
    rows = context.keep(rows)
    kept = "count_if(not coalesce(__keep, false))" if shape["has_where"] else "0"
    counted = rows.selectExpr("count(1) as read", f"{kept} as filtered").first()
    if shape["has_where"]:
        rows = rows.where("__keep").drop("__keep")
    return finish(
        context,
        step,
        target,
        Shaped(
            rows,
            columns,
            load_type=shape["load_type"],
            keys=list(shape["keys"]),
            dedupe=shape["dedupe"],
            has_delete=shape["has_delete"],
            has_sequence=shape["has_sequence"],
            sequence_type=shape["sequence_type"],
            sequence_column=shape["sequence_column"],
            inputs=inputs.versions,
            references=inputs.references,
            counts={"rows_read": counted["read"], "rows_filtered": counted["filtered"]},
        ),
    )


def _unchanged(target: Target, inputs: Inputs, by_time: bool) -> bool:
    """No new rows, or the same versions read by the same definition: there is nothing to do."""
    if target.state is None:
        return False
    if not inputs.fresh:
        return True
    note = target.last.note if target.last else None
    return (
        not by_time
        and note is not None
        and note["definition"] == target.definition
        and note["inputs"] == inputs.versions
    )

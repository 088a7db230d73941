"""What new data does to a bronze table's columns: the difference to what is pinned, and what the table's policy makes of it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from pyspark.sql import functions as f

from .context import Context
from .lake import TableState
from .names import legal_columns, quote
from .plan import Step
from .raw.scan import scan, source_name
from .raw.shape import Shape, joined_type
from .raw.texts import first_type, kinds_sql, text_type
from .types import fits

# Table property, followed by the config's id: JSON of source name -> column, for columns that came after pinning.
EVOLVED = "lakeforge.evolved."
_SAMPLE_ROWS = 20_000


@dataclass(frozen=True)
class Evolved:
    """`read`: columns to read from raw, by their pinned names. `added`: the table's columns beyond the plan's. `refused`: the
    policy lets nothing of this batch in. `evolved`: new text of the property; None: as it was."""

    read: list[dict[str, Any]]
    added: list[tuple[str, str]]
    changes: list[dict[str, Any]] = field(default_factory=list)
    refused: bool = False
    evolved: str | None = None


def evolve(
    context: Context, step: Step, raw: Step, state: TableState | None, shape: Shape
) -> Evolved:
    """Compares the raw files with the pinned columns and with those that the table has taken on since."""
    guarded = {policy["column"] for policy in step["column_policies"]}
    # Read as text, all of a protected value stays in its column: nothing of it may reach _rescued_data.
    pinned = [
        {**column, "type": "string"} if column["name"] in guarded else column
        for column in raw["columns"]
    ]
    names = _source_names(state, step["config_id"])
    types = dict(state.columns) if state else {}
    own = {source_name(column) for column in pinned}
    former = [
        {"name": name, "type": types[name], "nullable": True, "source_name": source}
        for source, name in names.items()
        if name in types and source not in own
    ]
    known = {source_name(column): column for column in [*pinned, *former]}
    frozen = step["schema_policy"] in ("freeze", "approve")
    added: list[dict[str, Any]] = []
    changes = []
    taken = [column["name"] for column in step["columns"]] + list(types)
    planned = {column["name"] for column in step["columns"]}

    def name_of(source: str, kind: str) -> str:
        plain = legal_columns([source])[0]
        again = plain in planned or any(column["name"] == plain for column in former)
        return (
            plain if types.get(plain) == kind and not again else legal_columns([*taken, source])[-1]
        )

    for kind, source, of_type, observed in differences(context, shape, list(known.values())):
        name = known[source]["name"] if source in known else source
        if kind == "missing":
            outcome = "refused" if frozen else "evolved"
            changes.append(_change(kind, name, of_type, None, outcome))
        elif kind == "retyped":
            outcome = "refused" if frozen else "rescued"
            changes.append(_change(kind, name, of_type, observed, outcome))
        elif step["schema_policy"] != "evolve":
            outcome = "refused" if frozen else "rescued"
            changes.append(_change(kind, source, None, of_type, outcome))
        else:
            name = name_of(source, of_type)
            taken.append(name)
            added.append({"name": name, "type": of_type, "nullable": True, "source_name": source})
            changes.append(_change(kind, name, None, of_type, "evolved"))
    all_names = {**names, **{column["source_name"]: column["name"] for column in added}}
    return Evolved(
        [*pinned, *former, *added],
        [(column["name"], column["type"]) for column in [*former, *added]],
        changes,
        frozen and bool(changes),
        json.dumps(all_names, ensure_ascii=False, separators=(",", ":")) if added else None,
    )


def differences(
    context: Context, shape: Shape, pinned: list[dict[str, Any]]
) -> list[tuple[str, str, str, str | None]]:
    """(kind, source name, type, observed type) of what the files have that the pinned columns don't, and the other way round."""
    if not shape.groups:
        return []
    observed: dict[str, str | None] = {}
    for group in shape.groups:
        for name, kind in group.columns.items():
            observed[name] = joined_type(observed[name], kind) if name in observed else kind
    known = {source_name(column): column for column in pinned}
    by_text = shape.format != "parquet"
    texts = [
        name
        for name, kind in observed.items()
        if by_text
        and kind in (None, "string", "bigint", "double")
        # A pinned string takes every text: nothing to find out.
        and not (name in known and known[name]["type"] == "string")
    ]
    kinds = _sampled(context, shape, texts)
    found: list[tuple[str, str, str, str | None]] = []
    new = [name for name in observed if name not in known]
    for name in _in_order(context, shape, observed, new):
        kind = observed[name]
        seen = kinds.get(name) or kind or "string"
        if name not in known:
            found.append(("added", name, first_type(seen), None))
        elif seen != "null" and not fits(seen, known[name]["type"], kind in (None, "string")):
            found.append(("retyped", name, known[name]["type"], seen))
    for name, column in known.items():
        if name not in observed:
            found.append(("missing", name, column["type"], None))
    return found


def _sampled(context: Context, shape: Shape, names: list[str]) -> dict[str, str]:
    """Types of text columns by a sample; `null` where it held no value."""
    if not names:
        return {}
    pinned = [
        {"name": f"c{n}", "source_name": name, "type": "string"} for n, name in enumerate(names)
    ]
    bits = [0] * len(names)
    for group in shape.groups:
        one = Shape(shape.format, shape.options, [group])
        rows = scan(context, one, pinned, tolerant=True).select(*[c["name"] for c in pinned])
        row = rows.limit(_SAMPLE_ROWS).selectExpr(
            *[f"{kinds_sql(quote(c['name']))} as {c['name']}" for c in pinned]
        )
        for n, value in enumerate(row.first() or []):
            bits[n] |= int(value or 0)
    return {name: text_type(bits[n]) for n, name in enumerate(names)}


def _in_order(
    context: Context, shape: Shape, observed: dict[str, Any], new: list[str]
) -> list[str]:
    """Spark tells the fields of JSON by their names' order; a table takes new ones on in the order in which they came."""
    if shape.format not in ("json", "ndjson") or len(new) < 2:
        return list(observed)
    files = [file.absolute for group in shape.groups for file in group.files]
    keys = (
        context.spark.read.text(files)
        .selectExpr("monotonically_increasing_id() as row", "json_object_keys(value) as keys")
        .selectExpr("row", "posexplode(keys) as (at, name)")
        .groupBy("name")
        .agg(f.min(f.struct("row", "at")).alias("first"))
        .collect()
    )
    places = {row["name"]: (row["first"]["row"], row["first"]["at"]) for row in keys}
    return sorted(observed, key=lambda name: places.get(name, (2**63, 0)))


def _change(
    kind: str, column: str, from_type: str | None, to_type: str | None, outcome: str
) -> dict[str, Any]:
    return {
        "kind": kind,
        "column": column,
        "from_type": from_type,
        "to_type": to_type,
        "outcome": outcome,
    }


def _source_names(state: TableState | None, config_id: str) -> dict[str, str]:
    try:
        return dict(
            json.loads((state.properties if state else {}).get(f"{EVOLVED}{config_id}", "{}"))
        )
    except ValueError:
        return {}

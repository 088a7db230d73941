"""Checks JSON against the generated JSON Schemas.

Only the words that the generator writes: a workspace has no JSON Schema library by default, and a notebook installs nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

_TYPES: dict[str, Any] = {
    "string": str,
    "boolean": bool,
    "array": list,
    "object": dict,
    "null": type(None),
}
_WORDS = {
    "$schema", "type", "properties", "required", "items", "enum", "const", "anyOf", "oneOf",
    "additionalProperties", "default", "propertyNames",
}  # fmt: skip


def faults(value: Any, schema: dict[str, Any], path: str = "$") -> Iterator[str]:
    """Where a value isn't what the schema says; never the value itself. Empty when it fits."""
    unknown = set(schema) - _WORDS
    if unknown:
        raise ValueError(f"the schema has words that are not read here: {sorted(unknown)}")
    options = schema.get("anyOf") or schema.get("oneOf")
    if options is not None:
        found = [list(faults(value, option, path)) for option in options]
        if all(found):
            # The one that came furthest says most: a step of the right zone, say.
            yield from min(found, key=lambda each: (len(each), each))
        return
    if "const" in schema and value != schema["const"]:
        yield f"{path} is not {schema['const']!r}"
    if "enum" in schema and value not in schema["enum"]:
        yield f"{path} is none of {', '.join(map(str, schema['enum']))}"
    kind = schema.get("type")
    if kind is not None and not _is(value, kind):
        yield f"{path} is not of type {kind}"
        return
    if isinstance(value, dict):
        known = schema.get("properties", {})
        for name in schema.get("required", []):
            if name not in value:
                yield f"{path}.{name} is missing"
        rest = schema.get("additionalProperties")
        for name, inner in value.items():
            if name in known:
                yield from faults(inner, known[name], f"{path}.{name}")
            elif isinstance(rest, dict):
                yield from faults(inner, rest, f"{path}.{name}")
    elif isinstance(value, list) and isinstance(schema.get("items"), dict):
        for index, inner in enumerate(value):
            yield from faults(inner, schema["items"], f"{path}[{index}]")


def _is(value: Any, kind: str) -> bool:
    if kind in ("number", "integer"):
        number = isinstance(value, int) if kind == "integer" else isinstance(value, (int, float))
        return number and not isinstance(value, bool)
    return isinstance(value, _TYPES[kind])

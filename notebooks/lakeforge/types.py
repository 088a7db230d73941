"""Spark types as values: parsed, written, and the narrowest that takes two others."""

from __future__ import annotations

import re
from typing import Any

Type = tuple[Any, ...]
_TOKEN = re.compile(r"\s*(`(?:[^`]|``)+`|[<>(),:]|[^\s<>(),:`]+)")
_SYNONYMS = {
    "byte": "tinyint",
    "short": "smallint",
    "integer": "int",
    "long": "bigint",
    "real": "float",
}
_INTEGERS = ("tinyint", "smallint", "int", "bigint")


def parse(text: str) -> Type:
    """("int",), ("decimal", precision, scale), ("array", element), ("map", key, value), ("struct", ((name, type), …))."""
    kind, rest = _parse(_TOKEN.findall(text))
    if rest:
        raise ValueError(f"not a Spark type: {text}")
    return kind


def text_of(kind: Type) -> str:
    """Spark's text of a type."""
    match kind:
        case ("decimal", precision, scale):
            return f"decimal({precision},{scale})"
        case ("array", element):
            return f"array<{text_of(element)}>"
        case ("map", key, value):
            return f"map<{text_of(key)},{text_of(value)}>"
        case ("struct", fields):
            return (
                f"struct<{','.join(f'{_name(name)}:{text_of(inner)}' for name, inner in fields)}>"
            )
    return kind[0]


def is_nested(kind: Type) -> bool:
    return kind[0] in ("array", "map", "struct")


def common(a: Type, b: Type) -> Type | None:
    """The narrowest type that takes all values of both; None when only a person can say. Text takes every scalar."""
    if a == b:
        return a
    if a[0] in _INTEGERS and b[0] in _INTEGERS:
        return max(a, b, key=lambda kind: _INTEGERS.index(kind[0]))
    kinds = {a[0], b[0]}
    if kinds & {"float", "double"} and kinds - {"float", "double", *_INTEGERS} == set():
        return ("double",)
    if kinds == {"date", "timestamp_ntz"}:
        return ("timestamp_ntz",)
    if kinds == {"array"}:
        element = common(a[1], b[1])
        return None if element is None else ("array", element)
    if kinds == {"struct"}:
        fields = dict(a[1])
        for name, kind in b[1]:
            joined = common(fields[name], kind) if name in fields else kind
            if joined is None:
                return None
            fields[name] = joined
        return ("struct", tuple(fields.items()))
    return None if is_nested(a) or is_nested(b) else ("string",)


_TARGETS = {
    "int": ("tinyint", "smallint", "bigint", "decimal", "float", "double"),
    "bigint": ("decimal", "float", "double"),
    "double": ("decimal", "float"),
    "date": ("timestamp", "timestamp_ntz"),
    "timestamp_ntz": ("timestamp",),
    "timestamp": ("timestamp_ntz",),
}


def fits(seen: str, pinned: str, is_text: bool) -> bool:
    """Whether values seen as one type go into a pinned type without loss, as far as types tell. The cast decides value by value."""
    a, b = parse(seen), parse(pinned)
    if is_text and b[0] in _TARGETS.get(a[0], ()):
        return True
    found = common(_in_order(a), _in_order(b))
    return found is not None and _in_order(found) == _in_order(b)


def _in_order(kind: Type) -> Type:
    """Fields of structs by their names: in which order they came says nothing of whether values fit."""
    match kind:
        case ("struct", fields):
            return ("struct", tuple(sorted((name, _in_order(inner)) for name, inner in fields)))
        case ("array", element):
            return ("array", _in_order(element))
        case ("map", key, value):
            return ("map", _in_order(key), _in_order(value))
    return kind


def _name(name: str) -> str:
    plain = re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name)
    return name if plain else "`" + name.replace("`", "``") + "`"


def _parse(tokens: list[str]) -> tuple[Type, list[str]]:
    name, rest = tokens[0].lower(), tokens[1:]
    name = _SYNONYMS.get(name, name)
    if name == "decimal":
        end = rest.index(")")
        inside = [int(token) for token in rest[1:end] if token != ","]
        return ("decimal", inside[0], inside[1] if len(inside) > 1 else 0), rest[end + 1 :]
    if name == "array":
        element, rest = _parse(rest[1:])
        return ("array", element), rest[1:]
    if name == "map":
        key, rest = _parse(rest[1:])
        value, rest = _parse(rest[1:])
        return ("map", key, value), rest[1:]
    if name == "struct":
        fields = []
        rest = rest[1:]
        while rest[0] != ">":
            field = rest[0][1:-1].replace("``", "`") if rest[0].startswith("`") else rest[0]
            kind, rest = _parse(rest[2:] if rest[1] == ":" else rest[1:])
            if [token.lower() for token in rest[:2]] == ["not", "null"]:
                rest = rest[2:]
            fields.append((field, kind))
            if rest[0] == ",":
                rest = rest[1:]
        return ("struct", tuple(fields)), rest[1:]
    return (name,), rest

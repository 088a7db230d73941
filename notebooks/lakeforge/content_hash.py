"""The content hash of a table's rows, as functions/core/content-hash.md defines it, over Python values.

Values: decimal as text or Decimal; date as days, timestamp and timestamp_ntz as microseconds since 1970-01-01; array as a
list, map as a list of (key, value), struct as a dict; null as None.
"""

from __future__ import annotations

import hashlib
import re
import struct
from collections.abc import Iterable, Mapping
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Any

EXCLUDED = frozenset({"_batch_id", "_source_file", "_ingested_at", "_row_id"})
_WIDE = Context(prec=80, rounding=ROUND_HALF_EVEN)
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def row_text(columns: Iterable[tuple[str, str]], row: Mapping[str, Any]) -> str:
    """The canonical text of one row; `columns` are (name, Spark type), missing values are null."""
    return _members(((name, parse_type(kind)) for name, kind in counted(columns)), row)


def row_hash(text: str) -> int:
    """The first 64 bits of md5 over the UTF-8 text, as an unsigned big-endian integer."""
    digest = hashlib.md5(text.encode(), usedforsecurity=False).digest()
    return int.from_bytes(digest[:8], "big")


def content_hash(columns: Iterable[tuple[str, str]], rows: Iterable[Mapping[str, Any]]) -> str:
    """16 hex digits, with a leading `~` when a float or double takes part."""
    columns = list(columns)
    total = sum(row_hash(row_text(columns, row)) for row in rows) % 2**64
    approximate = any(_holds_float(parse_type(kind)) for _, kind in counted(columns))
    return f"{'~' if approximate else ''}{total:016x}"


def counted(columns: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """The columns that count, by the UTF-8 bytes of their names."""
    return sorted((c for c in columns if c[0] not in EXCLUDED), key=lambda c: c[0].encode())


def float_text(value: float) -> str:
    """12 significant digits of the exact binary value, ties to even; -0 is 0."""
    if value != value:
        return "nan"
    return "%.11e" % (value + 0.0)


def _members(fields: Iterable[tuple[str, tuple]], value: Mapping[str, Any]) -> str:
    return "".join(
        f";{_name(name)}={_value(kind, value[name])}"
        for name, kind in fields
        if value.get(name) is not None
    )


def _value(kind: tuple, value: Any) -> str:
    if value is None:
        return "null"
    match kind:
        case ("boolean",):
            return "true" if value else "false"
        case ("float",):
            return float_text(_float32(value))
        case ("double",):
            return float_text(float(value))
        case ("decimal", scale):
            exact = Decimal(value).quantize(Decimal(1).scaleb(-scale), context=_WIDE)
            return f"{abs(exact) if exact == 0 else exact:f}"
        case ("string",):
            return _counted(value)
        case ("binary",):
            return bytes(value).hex().upper()
        case ("array", element):
            return "[" + ",".join(_value(element, item) for item in value) + "]"
        case ("struct", fields):
            return "{" + _members(sorted(fields, key=lambda field: field[0].encode()), value) + "}"
        case ("map", key_kind, value_kind):
            entries = (f"{_value(key_kind, key)}={_value(value_kind, item)}" for key, item in value)
            return "{" + ";".join(sorted(entries, key=str.encode)) + "}"
        case _:
            return str(int(value))


def _float32(value: float) -> float:
    return struct.unpack("f", struct.pack("f", value))[0]


def _name(name: str) -> str:
    return name if _PLAIN.fullmatch(name) else _counted(name)


def _counted(text: str) -> str:
    """A text with its length in UTF-8 bytes before it, so that nothing inside can end it."""
    return f"{len(text.encode())}:{text}"


def _holds_float(kind: tuple) -> bool:
    match kind:
        case ("float",) | ("double",):
            return True
        case ("array", element):
            return _holds_float(element)
        case ("map", key, value):
            return _holds_float(key) or _holds_float(value)
        case ("struct", fields):
            return any(_holds_float(inner) for _, inner in fields)
    return False


_TOKEN = re.compile(r"\s*(`(?:[^`]|``)+`|[<>(),:]|[^\s<>(),:`]+)")


def parse_type(text: str) -> tuple:
    """A Spark type as a tuple: ("int",), ("decimal", scale), ("array", element), ("map", key, value),
    ("struct", [(name, type), …])."""
    tokens = _TOKEN.findall(text)
    kind, rest = _parse(tokens)
    if rest:
        raise ValueError(f"not a Spark type: {text}")
    return kind


def _parse(tokens: list[str]) -> tuple[tuple, list[str]]:
    name, rest = tokens[0].lower(), tokens[1:]
    if name == "decimal":
        end = rest.index(")")
        inside = rest[1:end]
        return ("decimal", int(inside[2]) if len(inside) == 3 else 0), rest[end + 1 :]
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
            kind, rest = _parse(rest[2:])
            if [token.lower() for token in rest[:2]] == ["not", "null"]:
                rest = rest[2:]
            fields.append((field, kind))
            if rest[0] == ",":
                rest = rest[1:]
        return ("struct", fields), rest[1:]
    return (name,), rest

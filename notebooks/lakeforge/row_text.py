"""The content hash in bulk: Spark SQL for the row text and the sum that content_hash.py defines."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as f

from . import content_hash as reference
from .content_hash import counted, float_text, parse_type
from .names import literal, quote

Columns = Iterable[tuple[str, str]]

_FLOAT = "lakeforge_float_text"
_VALUE = "lakeforge_value_text"


def prepare(spark: SparkSession) -> None:
    """Registers what the texts need beside SQL: Java rounds printed floats half up, the hash wants the exact value's
    nearest. Floats inside of nested values go to Python whole: a lambda can't call a Python function."""
    spark.udf.register(_FLOAT, _float_text, "string")
    spark.udf.register(_VALUE, _value_text, "string")


def row_text_sql(columns: Columns) -> str:
    """The canonical row text as an expression over the columns, whose values must have their pinned types."""
    parts = [
        _member(name, parse_type(kind), kind, quote(name), 0) for name, kind in counted(columns)
    ]
    return f"concat({', '.join(parts)})" if parts else "''"


def row_hash_sql(text: str) -> str:
    """The first 64 bits of md5 of a text expression, as an unsigned decimal(20,0)."""
    return f"cast(conv(substring(md5({text}), 1, 16), 16, 10) as decimal(20,0))"


def hash_sum(columns: Columns) -> str:
    """An aggregate over the rows in scope: the sum of their hashes, not yet taken modulo 2^64; null without rows."""
    return f"sum({row_hash_sql(row_text_sql(columns))})"


def content_sum(frame: DataFrame, columns: Columns) -> int:
    """The content sum of a frame's rows."""
    row = frame.select(f.expr(hash_sum(columns)).alias("sum")).first()
    return int(row["sum"] or 0) % 2**64 if row is not None else 0


def hash_text(total: int | None, columns: Columns) -> str | None:
    """How a table's hash is written; None stays None."""
    if total is None:
        return None
    return f"{'~' if is_approximate(columns) else ''}{total % 2**64:016x}"


def is_approximate(columns: Columns) -> bool:
    """A float or double counts, at any depth."""
    return any(reference._holds_float(parse_type(kind)) for _, kind in counted(columns))


def sum_of(text: str | None) -> int | None:
    """The number in a hash text; None for none."""
    return None if text is None else int(text.removeprefix("~"), 16)


def _member(name: str, kind: tuple[Any, ...], text: str, value: str, depth: int) -> str:
    """`;name=value`, or nothing for a null."""
    head = literal(f";{reference._name(name)}=")
    return f"if({value} is null, '', concat({head}, {_text(kind, text, value, depth)}))"


def _text(kind: tuple[Any, ...], text: str, value: str, depth: int) -> str:
    """The canonical text of one value; null for null."""
    if len(kind) > 1 and kind[0] != "decimal" and reference._holds_float(kind):
        return f"{_VALUE}({literal(text)}, to_json(named_struct('v', {value}), map('ignoreNullFields', 'false')))"
    match kind:
        case ("string",):
            return f"concat(octet_length({value}), ':', {value})"
        case ("binary",):
            return f"hex({value})"
        case ("float",) | ("double",):
            return f"{_FLOAT}(cast({value} as double))"
        case ("date",):
            return f"cast(unix_date({value}) as string)"
        case ("timestamp",) | ("timestamp_ntz",):
            return f"cast(unix_micros(cast({value} as timestamp)) as string)"
        case ("array", element):
            item = f"x{depth}"
            inner = f"coalesce({_text(element, '', item, depth + 1)}, 'null')"
            return f"concat('[', array_join(transform({value}, {item} -> {inner}), ','), ']')"
        case ("map", key, item_kind):
            item = f"x{depth}"
            pair = (
                f"concat({_text(key, '', item + '.key', depth + 1)}, '=', "
                f"coalesce({_text(item_kind, '', item + '.value', depth + 1)}, 'null'))"
            )
            pairs = f"array_sort(transform(map_entries({value}), {item} -> {pair}))"
            return f"concat('{{', array_join({pairs}, ';'), '}}')"
        case ("struct", fields):
            members = [
                _member(name, inner, "", f"{value}.{quote(name)}", depth)
                for name, inner in sorted(fields, key=lambda field: field[0].encode())
            ]
            return f"concat('{{', {', '.join([*members, literal('}')])})"
        case _:
            return f"cast({value} as string)"


def _float_text(value: float | None) -> str | None:
    return None if value is None else float_text(value)


def _value_text(kind: str, text: str | None) -> str | None:
    """The text of a nested value, which came as JSON: Spark prints doubles so that they read back the same."""
    import json

    if text is None:
        return None
    value = json.loads(text, parse_float=float)["v"]
    parsed = parse_type(kind)
    return None if value is None else reference._value(parsed, _from_json(parsed, value))


def _from_json(kind: tuple[Any, ...], value: Any) -> Any:
    import base64
    import datetime as dt

    if value is None:
        return None
    match kind:
        case ("float",) | ("double",):
            return float(value)
        case ("decimal", _):
            return str(value)
        case ("binary",):
            return base64.b64decode(value)
        case ("date",):
            return (dt.date.fromisoformat(value) - dt.date(1970, 1, 1)).days
        case ("timestamp",) | ("timestamp_ntz",):
            parsed = dt.datetime.fromisoformat(value.replace("Z", "+00:00"))
            parsed = parsed if parsed.tzinfo else parsed.replace(tzinfo=dt.UTC)
            return (parsed - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // dt.timedelta(microseconds=1)
        case ("array", element):
            return [_from_json(element, item) for item in value]
        case ("map", key, inner):
            return [(_from_json(key, k), _from_json(inner, v)) for k, v in value.items()]
        case ("struct", fields):
            return {name: _from_json(inner, value.get(name)) for name, inner in fields}
        case ("tinyint",) | ("smallint",) | ("int",) | ("bigint",):
            return int(value)
        case _:
            return value

"""Types of columns that a source writes as text, from a sample; and the casts from text that take a value only if nothing of it
is lost, as Spark SQL. What a text may look like is one list for all engines: extractors/text-types.ts holds the other one."""

from __future__ import annotations

from ..names import literal
from ..types import Type, text_of

_INTEGER = "[+-]?(0|[1-9][0-9]{0,17})"
# With a point or an exponent: longer whole numbers are identifiers, and a double would cut their digits.
_NUMBER = "[+-]?(((0|[1-9][0-9]*)[.][0-9]*|[.][0-9]+)([eE][+-]?[0-9]{1,3})?|[1-9][0-9]*[eE][+-]?[0-9]{1,3})"
_DATE = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
_TIME = "[ T][0-9]{2}:[0-9]{2}(:[0-9]{2}([.][0-9]{1,9})?)?"
_OFFSET = "( ?(Z|UTC|[+-][0-9]{2}(:?[0-9]{2})?))"
_BOOLEANS, _INTEGERS, _NUMBERS, _DATES, _TIMES, _INSTANTS, _TEXTS, _LONG = (2**n for n in range(8))


def kinds_sql(sql: str) -> str:
    """An aggregate that gathers what kinds of values a text column holds, as the bits that `text_type` reads."""

    def full(pattern: str) -> str:
        return f"{sql} rlike {literal(f'^({pattern})$')}"

    return f"""bit_or(case when {sql} is null then 0
      when {full(_INTEGER)} then if(try_cast({sql} as int) is null, {_LONG}, {_INTEGERS})
      when octet_length({sql}) <= 40 and {full(_NUMBER)} then {_NUMBERS}
      when {full(_DATE)} and try_cast({sql} as date) is not null then {_DATES}
      when {full(_DATE + _TIME)} and try_cast({sql} as timestamp_ntz) is not null then {_TIMES}
      when {full(_DATE + _TIME + _OFFSET)} and {cast_sql(("timestamp",), sql)} is not null then {_INSTANTS}
      when lower({sql}) in ('true', 'false') then {_BOOLEANS}
      else {_TEXTS} end)"""


def text_type(kinds: int) -> str:
    """The narrowest Spark type that takes all kinds of values found; `null` for none. A mixture: string."""
    if kinds == 0:
        return "null"
    if kinds == _BOOLEANS:
        return "boolean"
    if kinds == _INTEGERS:
        return "int"
    if kinds & ~(_INTEGERS | _LONG) == 0:
        return "bigint"
    if kinds & ~(_INTEGERS | _LONG | _NUMBERS) == 0:
        return "double"
    if kinds == _DATES:
        return "date"
    if kinds & ~(_DATES | _TIMES) == 0:
        return "timestamp_ntz"
    return "timestamp" if kinds == _INSTANTS else "string"


def first_type(seen: str) -> str:
    """What a new column is pinned to: room for what will come, so never int."""
    return {"int": "bigint", "null": "string"}.get(seen, seen)


_ANY_INTEGER = r"^ *[+-]?[0-9]+([.]0*)? *$"
_ANY_NUMBER = r"^\s*[+-]?([0-9]+([.][0-9]*)?|[.][0-9]+)([eE][+-]?[0-9]+)?\s*$"
_SPECIAL = r"^\s*([+-]?(inf|infinity)|[+-]?nan)\s*$"
_ANY_DATE = r"^ *[+-]?[0-9]{1,7}-[0-9]{1,2}-[0-9]{1,2}([ T]00:00(:00([.]0*)?)?Z?)? *$"
_ANY_TIME = (
    r"^([+-]?[0-9]{1,6}-[0-9]{1,2}-[0-9]{1,2})"
    r"(?:[ T]([0-9]{1,2}:[0-9]{1,2}(?::[0-9]{1,2}(?:[.][0-9]{1,9})?)?))?( UTC|Z|[+-][0-9]{2}(?::?[0-9]{2})?)?$"
)


def cast_sql(kind: Type, text: str) -> str:
    """The value of a text as a scalar type, null where it can't be one or where something of it would be lost."""
    name = text_of(kind)
    match kind[0]:
        case "string":
            return text
        case "binary":
            return f"cast({text} as binary)"
        case "boolean":
            return (
                f"case when lower({text}) in ('true', 't', '1', 'yes', 'y') then true "
                f"when lower({text}) in ('false', 'f', '0', 'no', 'n') then false end"
            )
        case "tinyint" | "smallint" | "int" | "bigint":
            whole = f"regexp_extract({text}, '^ *([+-]?[0-9]+)', 1)"
            return f"case when {text} rlike {literal(_ANY_INTEGER)} then try_cast({whole} as {name}) end"
        case "decimal":
            # Digits beyond the scale would be rounded away.
            exact = f"try_cast(trim({text}) as decimal(38,18))"
            value = f"try_cast(trim({text}) as {name})"
            fitting = value if kind[1] - kind[2] > 20 else f"if({exact} = {value}, {value}, null)"
            return f"case when {text} rlike {literal(_ANY_NUMBER)} then {fitting} end"
        case "float" | "double":
            return (
                f"case when {text} rlike {literal(_ANY_NUMBER)} or lower({text}) rlike {literal(_SPECIAL)} "
                f"then try_cast(trim({text}) as {name}) end"
            )
        case "date":
            return (
                f"case when {text} rlike {literal(_ANY_DATE)} "
                f"then try_cast(regexp_extract({text}, '([+-]?[0-9]{{1,7}}-[0-9]{{1,2}}-[0-9]{{1,2}})', 1) as date) end"
            )
        case "timestamp" | "timestamp_ntz":
            return _time_sql(kind[0], text)
    return f"try_cast({text} as {name})"


def _time_sql(name: str, text: str) -> str:
    def part(n: int) -> str:
        return f"regexp_extract({text}, {literal(_ANY_TIME)}, {n})"

    # Digits beyond microseconds are cut off; a naive time keeps its digits, whatever offset stands behind them.
    # Spark takes a zone only behind seconds.
    clock = (
        f"if({part(2)} = '', '00:00:00', regexp_replace({part(2)}, '^([0-9]+:[0-9]+)$', '$1:00'))"
    )
    moment = f"concat({part(1)}, ' ', regexp_replace({clock}, '([.][0-9]{{6}})[0-9]*', '$1'))"
    zone = f"trim({part(3)})"
    value = moment if name == "timestamp_ntz" else f"concat({moment}, if({zone} = '', 'Z', {zone}))"
    return f"case when {text} rlike {literal(_ANY_TIME)} then try_cast({value} as {name}) end"

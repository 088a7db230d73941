"""Nested values of JSON as a pinned type: what fits is kept, and whether something didn't."""

from __future__ import annotations

import json
import math
import re
from decimal import Decimal
from typing import Any

from ..types import Type, parse

_WHOLE = re.compile(r" *[+-]?[0-9]+([.]0*)? *")
_RANGES = {"tinyint": 7, "smallint": 15, "int": 31, "bigint": 63}


class _Fit:
    """`loss`: a value could not be had at all. `more`: there was more in it than the type has room for."""

    def __init__(self) -> None:
        self.loss = False
        self.more = False

    def lost(self) -> None:
        self.loss = True

    def take(self, kind: Type, value: Any) -> Any:
        if value is None:
            return None
        match kind:
            case ("struct", fields):
                if not isinstance(value, dict):
                    return self.lost()
                if set(value) - {name for name, _ in fields}:
                    self.more = True
                return {name: self.take(inner, value.get(name)) for name, inner in fields}
            case ("array", element):
                if not isinstance(value, list):
                    return self.lost()
                return [self.take(element, item) for item in value]
            case ("map", _, inner):
                if not isinstance(value, dict):
                    return self.lost()
                return {key: self.take(inner, item) for key, item in value.items()}
        return self.scalar(kind, value)

    def scalar(self, kind: Type, value: Any) -> Any:
        name = kind[0]
        if name == "string":
            return value if isinstance(value, str) else _text(value)
        if name == "boolean":
            return value if isinstance(value, bool) else self.lost()
        if isinstance(value, (dict, list, bool)):
            return self.lost()
        if name in _RANGES:
            return self.whole(name, value)
        if name in ("float", "double", "decimal"):
            try:
                number = Decimal(str(value))
            except ArithmeticError:
                return self.lost()
            if name != "decimal":
                return float(number)
            return number if len(str(int(abs(number)))) <= kind[1] - kind[2] else self.lost()
        return value if isinstance(value, str) else self.lost()

    def whole(self, name: str, value: Any) -> Any:
        if isinstance(value, str):
            if not _WHOLE.fullmatch(value):
                return self.lost()
            number = int(Decimal(value.strip()))
        else:
            number = round(value)
            if not math.isclose(number, value, rel_tol=0, abs_tol=0):
                self.more = True
        return number if -(2 ** _RANGES[name]) <= number < 2 ** _RANGES[name] else self.lost()


def fitted(kind: str, text: str | None) -> tuple[str | None, bool, bool]:
    """A JSON text as what fits the type, as JSON; then loss and more."""
    if text is None:
        return None, False, False
    try:
        value = json.loads(text, parse_float=Decimal)
    except ValueError:
        return None, True, False
    fit = _Fit()
    taken = fit.take(parse(kind), value)
    return None if taken is None else _text(taken), fit.loss, fit.more


def _text(value: Any) -> str:
    return json.dumps(_plain(value), ensure_ascii=False, separators=(",", ":"))


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, list) else value

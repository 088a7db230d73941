"""Names from metadata on their way into Spark SQL: the one place that quotes."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from .errors import fail

_TABLE = re.compile(r"([a-z0-9_]{1,100})\.([a-z0-9_]{1,100})")


def quote(name: str) -> str:
    """An identifier in backticks."""
    return "`" + name.replace("`", "``") + "`"


def literal(text: str) -> str:
    """A text literal, where backslashes escape."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def split_table(name: str) -> tuple[str, str]:
    """`schema.table` in two. Raises name_invalid unless both halves are `a-z0-9_`."""
    found = _TABLE.fullmatch(name)
    return (found[1], found[2]) if found else fail("name_invalid", name=name[:200])


def legal_columns(sources: Iterable[str]) -> list[str]:
    """Legal column names for names found in a source, as `legalColumns` of core/names.ts gives them."""
    taken: set[str] = set()
    names = []
    for index, source in enumerate(sources):
        base = unicodedata.normalize("NFKD", source.replace("ß", "ss"))
        base = "".join(c for c in base if not unicodedata.category(c).startswith("M"))
        base = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", base).lower()
        base = re.sub(r"[^a-z0-9]+", "_", base).strip("_")[:100] or f"column_{index + 1}"
        name, n = base, 2
        while name in taken:
            name, n = f"{base}_{n}", n + 1
        taken.add(name)
        names.append(name)
    return names

"""Databricks SQL of the metadata, made ready to run on one set of inputs: table names become views, the time that of the batch."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from .names import quote

_TOKEN = re.compile(
    r"""
    (?P<space>\s+|--[^\n]*|/\*.*?\*/)
  | (?P<string>'(?:[^'\\]|\\.|'')*'|"(?:[^"\\]|\\.|"")*")
  | (?P<quoted>`(?:[^`]|``)+`)
  | (?P<word>[A-Za-z_][A-Za-z0-9_]*)
  | (?P<other>[0-9][A-Za-z0-9_.]*|.)
    """,
    re.X | re.S,
)
_NOW = {
    "current_timestamp": "timestamp",
    "now": "timestamp",
    "current_date": "date",
    "curdate": "date",
}
_BARE = {"current_timestamp", "current_date"}


@dataclass(frozen=True)
class _Token:
    text: str
    """None for anything but a name."""
    name: str | None
    at: int


def view_names(query: str, tables: Iterable[str]) -> dict[str, str]:
    """Table -> the view that stands for it. The table's own last name where nothing else in the query is called so, since
    columns may be qualified by it."""
    tables = list(tables)
    tokens = _meaning(query)
    ctes = {
        token.name
        for token, following, after in zip(tokens, tokens[1:], tokens[2:], strict=False)
        if token.name is not None and following.text.lower() == "as" and after.text == "("
    }
    last = [table.split(".")[1] for table in tables]
    return {
        table: (
            name
            if last.count(name) == 1 and name not in ctes and name not in _NOW
            else f"__{table.replace('.', '__')}"
        )
        for table, name in zip(tables, last, strict=True)
    }


def rewrite(
    query: str,
    views: Mapping[str, str],
    batch_time: str | None,
    streams: Mapping[str, str] | None = None,
) -> tuple[str, bool]:
    """The query over views, with the batch's instant for the clock (None: the clock as it is); and whether it asked for the
    time. A table of `streams` is read by that text where it stands right behind a FROM."""
    tokens = _meaning(query)
    pieces: list[str] = []
    end = 0
    by_time = False
    i = 0
    while i < len(tokens):
        token = tokens[i]
        dotted = i > 0 and tokens[i - 1].text == "."
        replaced: str | None = None
        width = 1
        if token.name is not None and not dotted:
            table = ".".join(
                [token.name, tokens[i + 2].name or ""]
                if i + 2 < len(tokens) and tokens[i + 1].text == "."
                else [token.name]
            )
            called = [each.text for each in tokens[i + 1 : i + 3]] == ["(", ")"]
            if table in views:
                replaced, width = quote(views[table]), 3
                behind_from = i > 0 and tokens[i - 1].text.lower() == "from"
                if streams and table in streams and behind_from:
                    replaced = f"{streams[table]} as {replaced}"
            elif (
                batch_time is not None
                and token.text.lower() in _NOW
                and (called or token.text.lower() in _BARE)
            ):
                kind = _NOW[token.text.lower()]
                replaced, width = f"cast(timestamp'{batch_time}' as {kind})", 3 if called else 1
                by_time = True
        if replaced is not None:
            last = tokens[i + width - 1]
            pieces += [query[end : token.at], replaced]
            end = last.at + len(last.text)
        i += width
    return "".join([*pieces, query[end:]]), by_time


def _meaning(query: str) -> list[_Token]:
    tokens = []
    for found in _TOKEN.finditer(query):
        text = found[0]
        match found.lastgroup:
            case "space":
                continue
            case "quoted":
                name = text[1:-1].replace("``", "`").lower()
            case "word":
                name = text.lower()
            case _:
                name = None
        tokens.append(_Token(text, name, found.start()))
    return tokens

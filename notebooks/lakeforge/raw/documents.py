"""Takes the records out of JSON documents, each with its own text: numbers keep their digits."""

from __future__ import annotations

import json
from collections.abc import Iterator

from ..errors import fail

_DECODER = json.JSONDecoder()
_SPACE = " \t\r\n"


def records_of(text: str, path: list[str] | None, name: str) -> Iterator[str]:
    """The records as lines. Without a path: the elements of an array, or the documents one after the other. With one: the
    elements of the array at it in each document; a value there that is no array is one record; nothing there gives none.
    Raises json_malformed with `name`."""
    try:
        at = _skip(text, 0)
        while at < len(text):
            end = _end(text, at)
            start = at if path is None else _find(text, at, path)
            if start is not None:
                yield from _elements(text, start)
            at = _skip(text, end)
    except (ValueError, IndexError):
        fail("json_malformed", file=name, reason="it is not well-formed")


def _elements(text: str, start: int) -> Iterator[str]:
    if text[start] != "[":
        yield _line(text[start : _end(text, start)])
        return
    at = _skip(text, start + 1)
    while text[at] != "]":
        end = _end(text, at)
        yield _line(text[at:end])
        at = _skip(text, end)
        if text[at] == ",":
            at = _skip(text, at + 1)


def _find(text: str, at: int, path: list[str]) -> int | None:
    """Where the value at a path of an object begins."""
    for part in path:
        if text[at] != "{":
            return None
        at = _skip(text, at + 1)
        found = None
        while text[at] != "}":
            key, end = _DECODER.raw_decode(text, at)
            value = _skip(text, _skip(text, end) + 1)
            if key == part:
                found = value
                break
            at = _skip(text, _end(text, value))
            if text[at] == ",":
                at = _skip(text, at + 1)
        if found is None:
            return None
        at = found
    return at


def _end(text: str, at: int) -> int:
    return _DECODER.raw_decode(text, at)[1]


def _skip(text: str, at: int) -> int:
    while at < len(text) and text[at] in _SPACE:
        at += 1
    return at


def _line(text: str) -> str:
    """A line end can only stand between values."""
    return text.replace("\r", " ").replace("\n", " ")

"""What the raw files of some manifests look like: which columns under which names, in which files."""

from __future__ import annotations

import codecs
import gzip
import json
import os
import tempfile
from dataclasses import dataclass, field
from io import TextIOWrapper
from typing import Any

from pyspark.sql import DataFrame

from ..context import Context
from ..errors import fail
from ..extractors.files import compression_of
from ..extractors.manifests import Manifest
from ..types import common, parse, text_of
from .documents import records_of

_HEAD_BYTES = 5 * 1024 * 1024
_CODECS = {"utf-8": "utf-8", "utf-16": "utf-16", "latin-1": "latin-1"}


@dataclass(frozen=True)
class RawFile:
    """`key`: the end of its path, `seq=3/00001-orders.csv`, by which its rows are told."""

    absolute: str
    key: str
    source_path: str


@dataclass(frozen=True)
class Group:
    """Files that one scan can read. `columns`: source name -> type where the files tell it."""

    files: list[RawFile]
    columns: dict[str, str | None]


@dataclass(frozen=True)
class Shape:
    format: str
    options: dict[str, Any]
    groups: list[Group] = field(default_factory=list)


def inspect(context: Context, step: dict[str, Any], manifests: list[Manifest]) -> Shape:
    """Looks at the files of manifests, in their order. Raises json_malformed, encoding_invalid, file_unreadable."""
    base = context.lake.raw_dir(step["source"]["name"], step["name"])
    files = [
        RawFile(os.path.join(base, file["path"]), file["path"], file["source_path"])
        for manifest in manifests
        for file in manifest["files"]
    ]
    # A database's extracts are Parquet, whatever the object's own format is called.
    extracted = any(manifest["columns"] for manifest in manifests)
    form = "parquet" if extracted else step["format"] or "parquet"
    options = {**DEFAULTS.get(form, {}), **step["options"]}
    shape = Shape(form, options)
    if form == "parquet":
        shape.groups.extend(_parquet(context, manifests, files))
    elif form in ("csv", "tsv"):
        shape.groups.extend(_csv(context, files, options))
    else:
        shape.groups.extend(_json(context, files, options))
    return shape


_SEPARATED: dict[str, Any] = {
    "compression": "auto",
    "quote": '"',
    "escape": '"',
    "header": True,
    "encoding": "utf-8",
    "null_values": [""],
    "skip_rows": 0,
    "bad_rows": "fail",
}
# As the catalogue of extractors fills in what a raw config leaves out.
DEFAULTS: dict[str, dict[str, Any]] = {
    "csv": {**_SEPARATED, "delimiter": ","},
    "tsv": {**_SEPARATED, "delimiter": "\t"},
    "json": {"compression": "auto", "shape": "auto", "encoding": "utf-8", "bad_rows": "fail"},
    "ndjson": {"compression": "auto", "encoding": "utf-8", "bad_rows": "fail"},
}


def open_text(file: RawFile, options: dict[str, Any]) -> TextIOWrapper:
    """A raw file's text, unpacked; line ends stay as they are."""
    packed = compression_of(file.absolute, options.get("compression", "auto"))
    if packed == "zstd":
        fail("engine_unsupported", engine="spark", what="zstd-packed text files")
    # Closed with the text around it.
    raw = gzip.open(file.absolute, "rb") if packed == "gzip" else open(file.absolute, "rb")  # noqa: SIM115
    encoding = _CODECS[options.get("encoding", "utf-8")]
    encoding = "utf-8-sig" if encoding == "utf-8" else encoding
    return TextIOWrapper(raw, encoding=encoding, newline="")


def _check_text(file: RawFile, options: dict[str, Any]) -> None:
    """A reader would put question marks in place of bytes that an encoding doesn't have. Raises encoding_invalid."""
    decoder = codecs.getincrementaldecoder(_CODECS[options.get("encoding", "utf-8")])()
    with open_text(file, options) as text:
        try:
            while data := text.buffer.read(1024 * 1024):
                decoder.decode(data)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            fail(
                "encoding_invalid",
                file=file.source_path,
                reason="bytes that its encoding does not have",
            )


def _csv(context: Context, files: list[RawFile], options: dict[str, Any]) -> list[Group]:
    groups: dict[tuple[str, ...], Group] = {}
    for file in files:
        context.check()
        _check_text(file, options)
        record = _first_record(file, options)
        if record is None:
            continue
        names = _source_names(record, options["header"])
        # Names that differ by case alone are still names of their own here.
        group = groups.setdefault(tuple(names), Group([], dict.fromkeys(names)))
        group.files.append(_without_head(file, options))
    return list(groups.values())


def _without_head(file: RawFile, options: dict[str, Any]) -> RawFile:
    """Spark skips no lines: a copy without them is read in the file's place."""
    if not options["skip_rows"]:
        return file
    folder = tempfile.mkdtemp(prefix="lakeforge-")
    key = file.key.removesuffix(".gz")
    copy = os.path.join(folder, key)
    os.makedirs(os.path.dirname(copy))
    with open_text(file, options) as text, open(copy, "w", encoding="utf-8", newline="") as out:
        for _ in range(options["skip_rows"]):
            text.readline()
        while data := text.read(1024 * 1024):
            out.write(data)
    return RawFile(copy, key, file.source_path)


def _first_record(file: RawFile, options: dict[str, Any]) -> list[str] | None:
    with open_text(file, options) as stream:
        text = stream.read(_HEAD_BYTES)
    for _ in range(options["skip_rows"]):
        ends = [at for at in (text.find("\n"),) if at >= 0]
        if not ends:
            return None
        text = text[ends[0] + 1 :]
    text = text.lstrip("\r\n")
    return _record(text, options) if text else None


def _record(text: str, options: dict[str, Any]) -> list[str]:
    delimiter, quote, escape = options["delimiter"], options["quote"], options["escape"]
    fields: list[str] = []
    value, at, quoted, start = "", 0, False, True
    while at < len(text):
        char = text[at]
        if quoted:
            following = text[at + 1] if at + 1 < len(text) else ""
            if escape is not None and char == escape and following and following in (quote, escape):
                value += following
                at += 1
            elif char == quote:
                quoted = False
            else:
                value += char
        elif start and quote is not None and char == quote:
            quoted, start = True, False
        elif text.startswith(delimiter, at):
            fields.append(value)
            value, start = "", True
            at += len(delimiter) - 1
        elif char in "\r\n":
            break
        else:
            value += char
            start = False
        at += 1
    return [*fields, value]


def _source_names(record: list[str], header: bool) -> list[str]:
    """Its header made unique, or `_c0`, `_c1` … without one. Repeated names get `[2]`, `[3]` …"""
    if not header:
        return [f"_c{index}" for index in range(len(record))]
    seen: dict[str, int] = {}
    names = []
    for name in record:
        seen[name] = seen.get(name, 0) + 1
        names.append(name if seen[name] == 1 else f"{name}[{seen[name]}]")
    return names


def _json(context: Context, files: list[RawFile], options: dict[str, Any]) -> list[Group]:
    lines = []
    for file in files:
        context.check()
        _check_text(file, options)
        lines.append(_as_lines(file, options))
    if not lines:
        return []
    schema = json_frame(context, lines).schema
    columns: dict[str, str | None] = {
        each.name: _text_leaves(each.dataType.simpleString()) for each in schema.fields
    }
    columns.pop("_corrupt_record", None)
    return [Group(lines, columns)]


def json_frame(context: Context, files: list[RawFile]) -> DataFrame:
    """Spark's own reading of the records, for what it says of their fields."""
    reader = context.spark.read.option("inferTimestamp", "false").option("mode", "PERMISSIVE")
    return reader.json([file.absolute for file in files])


def _as_lines(file: RawFile, options: dict[str, Any]) -> RawFile:
    """The file, if each line of it is a record; else a copy where it is so."""
    path = options.get("record_path")
    if path is None and (options.get("shape", "lines") == "lines" or _is_lines(file, options)):
        return file
    folder = tempfile.mkdtemp(prefix="lakeforge-")
    copy = os.path.join(folder, f"{file.key}.lines")
    os.makedirs(os.path.dirname(copy))
    with open_text(file, options) as stream:
        text = stream.read()
    with open(copy, "w", encoding="utf-8") as out:
        for record in records_of(text, path.split(".") if path else None, file.source_path):
            out.write(record)
            out.write("\n")
    return RawFile(copy, f"{file.key}.lines", file.source_path)


def _is_lines(file: RawFile, options: dict[str, Any]) -> bool:
    with open_text(file, options) as stream:
        for line in stream:
            if line.strip():
                try:
                    return not isinstance(json.loads(line), list)
                except ValueError:
                    return False
    return True


def _text_leaves(kind: str) -> str:
    return "string" if kind.startswith("decimal(") else kind


def _parquet(context: Context, manifests: list[Manifest], files: list[RawFile]) -> list[Group]:
    given = {
        file["path"]: {column["source_name"]: column["type"] for column in manifest["columns"]}
        for manifest in manifests
        for file in manifest["files"]
    }
    groups: dict[str, Group] = {}
    for file in files:
        columns: dict[str, str | None] = dict(given[file.key])
        if not columns:
            context.check()
            schema = context.spark.read.parquet(file.absolute).schema
            columns = {each.name: each.dataType.simpleString() for each in schema.fields}
        groups.setdefault(json.dumps(columns), Group([], columns)).files.append(file)
    return list(groups.values())


def joined_type(a: str | None, b: str | None) -> str | None:
    """The type that two groups of files have in common."""
    if a is None or b is None:
        return b
    found = common(parse(a), parse(b))
    return "string" if found is None else text_of(found)

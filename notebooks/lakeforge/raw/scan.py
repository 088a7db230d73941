"""The rows of raw files: every pinned column with its pinned type, then `_source_file`, `_row_id` and `_rescued_data`. What
doesn't fit goes to `_rescued_data`, or stops the read, as `bad_rows` says."""

from __future__ import annotations

import json
from functools import reduce
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as f
from pyspark.sql.types import StringType, StructField, StructType

from ..context import Context
from ..names import literal, quote
from ..types import is_nested, parse, text_of
from .nested import fitted
from .shape import Group, Shape
from .texts import cast_sql

# Values beyond the header's columns that a ragged row may have.
_RAGGED = 64
_NULL, _EMPTY = "\u0001", "\u0002"
_ENCODINGS = {"utf-8": "UTF-8", "utf-16": "UTF-16", "latin-1": "ISO-8859-1"}
_FITTED = "lakeforge_fitted"
_RAW_FIELDS = "lakeforge_raw_fields"
Pinned = dict[str, Any]


def scan(
    context: Context, shape: Shape, pinned: list[Pinned], *, tolerant: bool | None = None
) -> DataFrame:
    """All rows of a shape. No files: none."""
    rescue = shape.options.get("bad_rows") == "rescue" if tolerant is None else tolerant
    if shape.format == "parquet":
        rescue = True
    context.spark.udf.register(_FITTED, fitted, "struct<value:string,loss:boolean,more:boolean>")
    context.spark.udf.register(_RAW_FIELDS, _raw_fields, "string")
    frames = [_group(context, shape, group, pinned, rescue) for group in shape.groups]
    if not frames:
        empty = [f"cast(null as {c['type']}) as {quote(c['name'])}" for c in pinned]
        return context.spark.range(0).selectExpr(
            *empty,
            "cast(null as string) as _source_file",
            "cast(null as bigint) as _row_id",
            "cast(null as string) as _rescued_data",
        )
    return reduce(DataFrame.unionByName, frames)


def _group(
    context: Context, shape: Shape, group: Group, pinned: list[Pinned], rescue: bool
) -> DataFrame:
    if shape.format == "parquet":
        frame = context.spark.read.parquet(*[file.absolute for file in group.files])
        return _assemble(frame, _parquet_readings(group, pinned), group, rescue)
    if shape.format in ("csv", "tsv"):
        return _csv(context, shape, group, pinned, rescue)
    return _json(context, group, pinned, rescue)


class _Reading:
    """One pinned column on its way. `loss`: true where the value could not be had; `more`: where the type has no room for all
    of it; `rescue`: the JSON text of what the reader gave."""

    def __init__(
        self, column: Pinned, raw: str, value: str, loss: str, rescue: str, more: str = "false"
    ) -> None:
        self.column = column
        self.name = source_name(column)
        self.raw, self.value, self.loss, self.rescue, self.more = raw, value, loss, rescue, more


def source_name(column: Pinned) -> str:
    return column.get("source_name") or column["name"]


def _text_reading(column: Pinned, raw: str) -> _Reading:
    kind = parse(column["type"])
    if is_nested(kind):
        # Text of a CSV or a database that holds JSON.
        fit = f"{_FITTED}({literal(text_of(kind))}, {raw})"
        value = f"if({fit}.loss, null, {_from_json(fit + '.value', kind)})"
        return _Reading(column, raw, value, f"({raw} is not null and {fit}.loss)", _json_text(raw))
    value = cast_sql(kind, raw)
    loss = (
        "false" if kind[0] in ("string", "binary") else f"({raw} is not null and ({value}) is null)"
    )
    return _Reading(column, raw, value, loss, _json_text(raw))


def _from_json(text: str, kind: tuple[Any, ...]) -> str:
    return f"from_json({text}, {literal(text_of(kind))})"


def _json_text(sql: str) -> str:
    """A text as a JSON string."""
    return f"substring(to_json(named_struct('v', {sql})), 6, length(to_json(named_struct('v', {sql}))) - 6)"


def _csv(
    context: Context, shape: Shape, group: Group, pinned: list[Pinned], rescue: bool
) -> DataFrame:
    options = shape.options
    names = list(group.columns)
    columns = [f"c{n}" for n in range(len(names))]
    extra = [f"x{n}" for n in range(_RAGGED)] if rescue else []
    fields = [StructField(name, StringType()) for name in [*columns, *extra]]
    schema = StructType(fields if rescue else [*fields, StructField("broken", StringType())])
    copied = options["skip_rows"] > 0
    reader = (
        context.spark.read.schema(schema)
        .option("header", str(options["header"]).lower())
        .option("enforceSchema", "true")
        .option("sep", options["delimiter"])
        .option("quote", options["quote"] or "")
        .option("escape", options["escape"] or "\0")
        .option("multiLine", "true")
        .option("encoding", "UTF-8" if copied else _ENCODINGS[options["encoding"]])
        .option("nullValue", _NULL)
        .option("emptyValue", _EMPTY)
        .option("mode", "PERMISSIVE")
        .option("columnNameOfCorruptRecord", "" if rescue else "broken")
        .option("maxCharsPerColumn", "-1")
        .option("ignoreLeadingWhiteSpace", "false")
        .option("ignoreTrailingWhiteSpace", "false")
    )
    frame = reader.csv([file.absolute for file in group.files])
    nulls = options["null_values"]
    listed = ", ".join(map(literal, nulls))

    def cleaned(name: str) -> str:
        text = f"if({name} = '{_EMPTY}', '', {name})"
        if [value for value in nulls if value]:
            text = f"if({name} in ({listed}), null, {text})"
        return text if "" in nulls else f"coalesce({text}, '')"

    frame = frame.selectExpr(
        *[f"{cleaned(name)} as {name}" for name in columns],
        *extra,
        *([] if rescue else ["broken"]),
        "_metadata.file_path as file",
    )
    at = {name: columns[n] for n, name in enumerate(names)}
    readings = [_text_reading(c, at[source_name(c)]) for c in pinned if source_name(c) in at]
    wanted = {source_name(c) for c in pinned}
    extras = [(name, column) for name, column in at.items() if name not in wanted]
    extras += [(_ragged_name(n + len(names)), name) for n, name in enumerate(extra)]
    broken = None
    if not rescue:
        # What is left of a row that has more or fewer values than the header.
        broken = "broken is not null"
    return _assemble(frame, readings, group, rescue, extras, pinned, broken)


def _ragged_name(index: int) -> str:
    return f"_c{index}"


def _parquet_readings(group: Group, pinned: list[Pinned]) -> dict[str, Any]:
    readings = []
    for column in pinned:
        name = source_name(column)
        if name not in group.columns:
            continue
        seen, kind = group.columns[name] or "string", parse(column["type"])
        raw = quote(name)
        if parse(seen) == kind:
            readings.append(_Reading(column, raw, raw, "false", "null"))
        elif seen == "string":
            readings.append(_text_reading(column, raw))
        else:
            value = f"try_cast({raw} as {text_of(kind)})"
            loss = f"({raw} is not null and {value} is null)"
            if kind[0] in ("tinyint", "smallint", "int", "bigint", "decimal", "date"):
                loss = f"({loss} or not coalesce({value} = {raw}, true))"
            readings.append(_Reading(column, raw, value, loss, _value_json(raw)))
    wanted = {source_name(c) for c in pinned}
    extras = [(name, quote(name)) for name in group.columns if name not in wanted]
    return {"readings": readings, "extras": extras, "pinned": pinned}


def _value_json(sql: str) -> str:
    """Any value as JSON."""
    whole = f"to_json(named_struct('v', {sql}), map('ignoreNullFields', 'false'))"
    return f"substring({whole}, 6, length({whole}) - 6)"


def _json(context: Context, group: Group, pinned: list[Pinned], rescue: bool) -> DataFrame:
    frame = context.spark.read.text([file.absolute for file in group.files])
    frame = frame.selectExpr("value", "_metadata.file_path as file").where("trim(value) <> ''")
    fields = "from_json(value, 'map<string,string>')"
    frame = frame.selectExpr("*", f"{fields} as m").selectExpr(
        "*",
        "case when m is null and try_parse_json(value) is null then 'it is not well-formed' end as broken",
    )
    readings = []
    for column in pinned:
        kind, raw = parse(column["type"]), f"m[{literal(source_name(column))}]"
        if source_name(column) not in group.columns:
            continue
        if is_nested(kind):
            fit = f"{_FITTED}({literal(text_of(kind))}, {raw})"
            readings.append(
                _Reading(
                    column,
                    raw,
                    _from_json(f"{fit}.value", kind),
                    f"({raw} is not null and {fit}.loss)",
                    raw,
                    f"({raw} is not null and {fit}.more)",
                )
            )
        else:
            readings.append(_text_reading(column, raw))
    wanted = {source_name(c) for c in pinned}
    others = [name for name in group.columns if name not in wanted]
    extras: list[tuple[str, str]] = []
    more = None
    if others:
        # Their own JSON: a map of texts no longer tells a text from a number.
        some = " or ".join(f"map_contains_key(m, {literal(name)})" for name in others)
        listed = f"array({', '.join(map(literal, sorted(wanted)))})" if wanted else "array('')"
        more = f"{_RAW_FIELDS}(if({some}, value, null), {listed})"
    record = "if(m is null, concat('\"_record\":', value), null)"
    more = record if more is None else f"coalesce({record}, {more})"
    return _assemble(frame, readings, group, rescue, extras, pinned, "broken is not null", more)


def _raw_fields(record: str | None, known: list[str]) -> str | None:
    """The fields of a record that are none of the known ones, as `"name":value` texts in their order."""
    if record is None:
        return None
    value = json.loads(record)
    if not isinstance(value, dict):
        return None
    return ",".join(
        f"{_dumps(name)}:{_dumps(inner)}" for name, inner in value.items() if name not in known
    )


def _dumps(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _assemble(
    frame: DataFrame,
    given: Any,
    group: Group,
    rescue: bool,
    extras: list[tuple[str, str]] | None = None,
    pinned: list[Pinned] | None = None,
    broken: str | None = None,
    others: str | None = None,
) -> DataFrame:
    if isinstance(given, dict):
        readings: list[_Reading] = given["readings"]
        extras, pinned = given["extras"], given["pinned"]
        frame = frame.select("*", f.col("_metadata.file_path").alias("__file"))
    else:
        readings = given
        frame = frame.withColumnRenamed("file", "__file")
    extras, pinned = extras or [], pinned or []
    by_name = {reading.column["name"]: reading for reading in readings}
    paths = ", ".join(f"{literal(file.key)}, {literal(file.source_path)}" for file in group.files)
    # Our own names end the path; they hold nothing that an address would write otherwise.
    file = f"element_at(map({paths}), regexp_extract(__file, 'seq=[0-9]+/[^/]+$', 0))"
    values, checks, parts, complaints = [], [], [], []
    for n, reading in enumerate(readings):
        values.append(f"{reading.value} as __v{n}")
        if reading.loss == "false" and reading.more == "false":
            continue
        checks.append((f"__l{n}", reading.loss))
        flag = f"__l{n}"
        if reading.more != "false":
            checks.append((f"__m{n}", reading.more))
            flag = f"__l{n} or __m{n}"
        parts.append((flag, reading.name, reading.rescue))
        if not rescue:
            said = f'column "{reading.name}" is not a {reading.column["type"]}'
            complaints.append(f"when __l{n} then {literal(said)}")
    frame = frame.selectExpr(
        "*", *values, f"{file} as _source_file", "monotonically_increasing_id() + 1 as _row_id"
    )
    if checks:
        frame = frame.selectExpr(
            "*", *[f"coalesce({sql}, false) as {name}" for name, sql in checks]
        )
    parts += [(f"{sql} is not null", name, _value_json(sql)) for name, sql in extras]
    members = [
        f"if({flag}, concat({literal(_dumps(name) + ':')}, {text}), null)"
        for flag, name, text in parts
    ]
    if others is not None:
        members.append(f"nullif({others}, '')")
    rescued = "cast(null as string)"
    if members:
        rescued = f"concat_ws(',', {', '.join(members)})"
        rescued = f"if({rescued} = '', null, concat('{{', {rescued}, '}}'))"
    stops = []
    if broken is not None:
        stops.append(f"when {broken} then 'LAKEFORGE:malformed'")
    if complaints:
        stops.append(
            f"when {' or '.join(c.split(' ')[1] for c in complaints)} "
            f"then concat('LAKEFORGE:value ', case {' '.join(complaints)} end, ' in ', _source_file)"
        )
    if stops:
        rescued = f"case {' '.join(stop.replace(' then ', ' then raise_error(', 1) + ')' for stop in stops)} else {rescued} end"
    own = {reading.column["name"]: f"__v{n}" for n, reading in enumerate(readings)}
    return frame.selectExpr(
        *[
            f"cast({own[c['name']] if c['name'] in by_name else 'null'} as {c['type']}) as {quote(c['name'])}"
            for c in pinned
        ],
        "_source_file",
        "_row_id",
        f"cast({rescued} as string) as _rescued_data",
    )

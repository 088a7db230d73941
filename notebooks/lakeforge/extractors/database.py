"""Source → Raw for databases over JDBC: one module for PostgreSQL, MySQL, SQL Server and Oracle. Full or by cursor, in parts.

Raw keeps booleans, integers, floats, texts and bytes as such, everything else as the database's own text, like the local
engine: bronze casts the texts to the pinned types, and what doesn't fit goes to `_rescued_data`. A driver opens a session for
each part, so that parts see no common moment: rows are read up to an upper bound that was fixed before, and on PostgreSQL only
once every transaction that was writing then has ended."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from typing import Any

from pyspark.sql import DataFrame

from ..context import Context
from ..errors import LakeForgeError, fail
from .manifests import (
    Manifest,
    clear_attempt,
    empty_manifest,
    read_manifest,
    seq_dir,
    write_manifest,
)
from .parquet_files import stored_files, write_parquet

# How long a batch waits for transactions that were running when the upper bound was read.
_SETTLE_S = 60.0
_POLL_S = 0.2
# Other databases can't say who is still writing: a cursor is read back this far.
_LAG_S = 300


@dataclass(frozen=True)
class _Column:
    """`select`: its expression as raw keeps it; `raw_type`: of the Parquet file; `base`: the database's name of its type."""

    name: str
    raw_name: str
    base: str
    raw_type: str
    select: str


@dataclass(frozen=True)
class _Dialect:
    driver: str
    port: int
    """Opening and closing quote of a name."""
    quotes: tuple[str, str]
    """SQL type that any value can be cast to as text."""
    text: str


DIALECTS: dict[str, _Dialect] = {
    "mysql": _Dialect("com.mysql.cj.jdbc.Driver", 3306, ("`", "`"), "char"),
    "oracle": _Dialect("oracle.jdbc.OracleDriver", 1521, ('"', '"'), "varchar2(4000)"),
    "postgres": _Dialect("org.postgresql.Driver", 5432, ('"', '"'), "text"),
    "sqlserver": _Dialect(
        "com.microsoft.sqlserver.jdbc.SQLServerDriver", 1433, ("[", "]"), "nvarchar(max)"
    ),
}


@dataclass(frozen=True)
class _Source:
    context: Context
    kind: str
    dialect: _Dialect
    options: dict[str, str]

    def read(self, query: str) -> DataFrame:
        reader = self.context.spark.read.format("jdbc").options(**self.options)
        return reader.option("query", query).load()

    def rows(self, query: str) -> list[Any]:
        return self.read(query).collect()


@dataclass(frozen=True)
class _Window:
    """`(from, to]`, in the source's own text. `lower`: with the lag taken off, as SQL; None: none."""

    column: _Column
    start: str | None
    to: str | None
    lower: str | None
    null_rows: int


def extract(context: Context, step: dict[str, Any], watermark: str | None) -> Manifest:
    """Raises source_unreachable, source_login_failed, source_object_missing, column_unknown, source_cursor_invalid."""
    lake, source, raw = context.lake, step["source"]["name"], step["name"]
    seq = context.input["seq"]
    done = read_manifest(lake, source, raw, seq)
    if done is not None:
        return done
    folder = seq_dir(lake, source, raw, seq)
    clear_attempt(folder)
    try:
        return _extract(_open(context, step), step, watermark, folder)
    except LakeForgeError:
        clear_attempt(folder)
        raise
    except Exception as error:
        clear_attempt(folder)
        raise source_error(error, step) from None


def _extract(source: _Source, step: dict[str, Any], watermark: str | None, folder: str) -> Manifest:
    context = source.context
    table = _from_sql(source, step)
    columns = _columns(source, table)
    described = [
        {"name": c.raw_name, "source_name": c.raw_name, "type": c.raw_type, "nullable": True}
        for c in columns
    ]
    manifest = empty_manifest(
        step,
        context.input["seq"],
        context.input["batch_id"],
        columns=described,
        watermark=watermark,
        rows=0,
    )
    window = None
    if step["cursor"] is not None:
        window, settled = _window(source, step, table, columns, watermark)
        manifest["cursor"] = {
            "column": step["cursor"]["column"],
            "from": window.start,
            "to": window.start,
            "null_rows": window.null_rows,
        }
        if not settled:
            said = f"A transaction of the source has been open for more than {_SETTLE_S:.0f} s"
            context.say("warn", f"{said}: this read keeps its former bound.", None)
            return manifest
        if not _has_rows(source, window):
            return manifest
    rows = _parts(source, step, table, columns, window)
    write_parquet(rows, folder)
    # A part without rows leaves an empty file; one file stays, for a full read of an empty table is a fact.
    manifest["files"] = stored_files(
        context.lake, step, folder, step["name"] if step["format"] == "query" else step["object"]
    )
    counts = {
        row["name"]: row["count"]
        for row in context.spark.read.parquet(folder)
        .selectExpr("_metadata.file_name as name")
        .groupBy("name")
        .count()
        .collect()
    }
    for file in manifest["files"]:
        file["rows"] = int(counts.get(file["path"].rsplit("/", 1)[1], 0))
    manifest["rows"] = sum(file["rows"] for file in manifest["files"])
    if window is not None and manifest["rows"] == 0:
        clear_attempt(folder)
        return {**manifest, "files": []}
    if window is not None:
        manifest["cursor"]["to"] = window.to
        manifest["watermark"] = _later(source, window)
    write_manifest(context.lake, manifest)
    return manifest


def _open(context: Context, step: dict[str, Any]) -> _Source:
    kind, options = step["source"]["kind"], step["source"]["options"]
    dialect = DIALECTS[kind]
    port = options.get("port", dialect.port)
    host, database = options["host"], options["database"]
    # What ends a host or a database's name in an address would put options of its own into it.
    if not re.fullmatch(r"[A-Za-z0-9_.:\[\]-]+", host) or not re.fullmatch(
        r"[^\s/?&;#]+", database
    ):
        name = step["source"]["name"]
        fail("source_unreachable", source=name, server="its host", reason="no host has such a name")
    tls = options.get("sslmode", "require")
    url = {
        "postgres": f"jdbc:postgresql://{host}:{port}/{database}?sslmode={tls}&stringtype=unspecified",
        "mysql": f"jdbc:mysql://{host}:{port}/{database}"
        f"?sslMode={'DISABLED' if tls == 'disable' else 'REQUIRED'}&useCursorFetch=true&connectionTimeZone=UTC",
        "sqlserver": f"jdbc:sqlserver://{host}:{port};databaseName={database}"
        f";encrypt={'false' if tls == 'disable' else 'true'}",
        "oracle": f"jdbc:oracle:thin:@//{host}:{port}/{database}",
    }[kind]
    password = options.get("password")
    given = {
        "url": url,
        "driver": dialect.driver,
        "user": options["user"],
        "fetchsize": "10000",
        **({} if password is None else {"password": context.secret(password)}),
    }
    return _Source(context, kind, dialect, given)


def _quoted(source: _Source, name: str) -> str:
    start, end = source.dialect.quotes
    return f"{start}{name.replace(end, end * 2)}{end}"


def _literal(source: _Source, text: str) -> str:
    escaped = text.replace("'", "''")
    # Backslashes escape on MySQL alone.
    return f"'{escaped}'" if source.kind != "mysql" else "'" + escaped.replace("\\", "\\\\") + "'"


def _typed(source: _Source, text: str, base: str) -> str:
    return f"cast({_literal(source, text)} as {base})"


def _from_sql(source: _Source, step: dict[str, Any]) -> str:
    """What stands after FROM."""
    object = step["object"].strip()
    if step["format"] == "query":
        alias = "q" if source.kind == "oracle" else "as q"
        return f"({object.rstrip(';').rstrip()}\n) {alias}"
    parts = re.findall(r'"((?:[^"]|"")+)"|([^".]+)', object)
    names = [quoted.replace('""', '"') or plain for quoted, plain in parts]
    if source.kind == "postgres" and len(names) == 1:
        names.insert(0, "public")
    return ".".join(_quoted(source, name) for name in names)


_DIRECT = {
    "boolean": "boolean",
    "tinyint": "smallint",
    "smallint": "smallint",
    "int": "int",
    "bigint": "bigint",
    "float": "float",
    "double": "double",
    "binary": "binary",
    "string": "string",
}
_PG_TYPES = {
    "bool": ("boolean", "boolean"),
    "int2": ("smallint", "smallint"),
    "int4": ("integer", "int"),
    "int8": ("bigint", "bigint"),
    "oid": ("oid", "bigint"),
    "float4": ("real", "float"),
    "float8": ("double precision", "double"),
    "bytea": ("bytea", "binary"),
}


def _columns(source: _Source, table: str) -> list[_Column]:
    schema = source.read(f"select * from {table} where 1 = 0").schema
    if source.kind == "postgres":
        return _unique(_pg_columns(source, table, [field.name for field in schema.fields]))
    columns = []
    for each in schema.fields:
        seen = each.dataType.simpleString()
        raw_type = _DIRECT.get(seen, "string")
        name = _quoted(source, each.name)
        select = name if seen in _DIRECT else f"cast({name} as {source.dialect.text})"
        columns.append(_Column(each.name, each.name, _base(source, seen), raw_type, select))
    return _unique(columns)


def _base(source: _Source, seen: str) -> str:
    """A type that a literal can be cast to, so that it compares as the column does."""
    kind = seen.split("(")[0]
    if kind == "decimal":
        return seen
    names = {"timestamp": "timestamp", "timestamp_ntz": "timestamp", "date": "date"}
    if source.kind == "mysql":
        names = {"timestamp": "datetime(6)", "timestamp_ntz": "datetime(6)", "date": "date"}
        names |= {"int": "signed", "bigint": "signed", "smallint": "signed"}
    if source.kind == "sqlserver":
        names = {"timestamp": "datetime2(6)", "timestamp_ntz": "datetime2(6)", "date": "date"}
    return names.get(kind, kind if kind != "string" else source.dialect.text)


def _pg_columns(source: _Source, table: str, names: list[str]) -> list[_Column]:
    """The types are asked of the database itself: a driver calls a json, a uuid and an interval all text."""
    if not names:
        return []
    typed = ", ".join(
        f"pg_typeof({_quoted(source, name)})::oid::int as t{n}" for n, name in enumerate(names)
    )
    found = source.rows(f"select {typed} from (select 1) one left join {table} on false")[0]
    listed = ", ".join(str(oid) for oid in set(found))
    types = {
        row["oid"]: row
        for row in source.rows(
            "select t.oid::int as oid, b.typname as name, format_type(b.oid, null) as base, "
            "b.typcategory::text as category, b.typtype::text as kind "
            "from pg_type t join pg_type b "
            "on b.oid = case when t.typtype = 'd' then t.typbasetype else t.oid end "
            f"where t.oid in ({listed})"
        )
    }
    columns = []
    for n, name in enumerate(names):
        row, quoted = types[found[n]], _quoted(source, name)
        base, raw_type = _PG_TYPES.get(row["name"], (row["base"], "string"))
        select = f"{quoted}::text"
        if row["name"] in _PG_TYPES:
            select = f"{quoted}::bigint" if base == "oid" else quoted
        elif row["kind"] == "c":
            select = f"to_json({quoted})::text"
        elif row["category"] == "A":
            select = f"to_json({quoted}::text[])::text"
        elif base == "money":
            select = f"{quoted}::numeric::text"
        columns.append(_Column(name, name, base, raw_type, select))
    return columns


def _unique(columns: list[_Column]) -> list[_Column]:
    """Names that differ by case alone are told apart by numbers."""
    seen: dict[str, int] = {}
    found = []
    for column in columns:
        lower = column.name.lower()
        seen[lower] = seen.get(lower, 0) + 1
        raw_name = column.name if seen[lower] == 1 else f"{column.name}[{seen[lower]}]"
        found.append(_Column(column.name, raw_name, column.base, column.raw_type, column.select))
    return found


def _column(step: dict[str, Any], columns: list[_Column], wanted: str) -> _Column:
    """Configured by the pinned name; the source has its own."""
    pinned = next((c for c in step["columns"] if c["name"] == wanted), {})
    name = pinned.get("source_name") or wanted
    for column in columns:
        if column.raw_name == name:
            return column
    known = ", ".join(column.name for column in columns)
    return fail("column_unknown", column=name, where=step["object"], columns=known)


def _as_text(source: _Source, sql: str) -> str:
    return f"cast({sql} as {source.dialect.text})"


def _window(
    source: _Source,
    step: dict[str, Any],
    table: str,
    columns: list[_Column],
    watermark: str | None,
) -> tuple[_Window, bool]:
    """The window, and whether everything that was writing when its upper bound was read has ended."""
    cursor = step["cursor"]
    column = _column(step, columns, cursor["column"])
    name = _quoted(source, column.name)
    lag = cursor.get("lag_s")
    if lag is None and source.kind != "postgres":
        lag = _LAG_S if _is_time(column) else 0
    if lag and not _is_time(column):
        reason = f"a lag needs a time, and its type is {column.base}"
        fail("source_cursor_invalid", column=cursor["column"], reason=reason)
    finite = f" where isfinite({name})" if source.kind == "postgres" and _is_time(column) else ""
    moment = None
    if source.kind == "postgres":
        row = source.rows(
            f"select pg_snapshot_xmax(pg_current_snapshot())::text as xmax, "
            f"(select max({name})::text from {table}{finite}) as upper, "
            "(select string_agg(transactionid::text, ',') from pg_locks where locktype = 'transactionid' "
            "and mode = 'ExclusiveLock' and granted) as running"
        )[0]
        moment, upper = row, row["upper"]
    else:
        upper = source.rows(f"select {_as_text(source, f'max({name})')} as upper from {table}")[0][
            0
        ]
    nulls = source.rows(f"select count(*) as n from {table} where {name} is null")[0][0]
    start = watermark if watermark is not None else cursor.get("start")
    lower = None if start is None else _typed(source, start, column.base)
    if lower is not None and lag:
        lower = {
            "postgres": f"({lower} - interval '{int(lag)} seconds')",
            "mysql": f"({lower} - interval {int(lag)} second)",
            "sqlserver": f"dateadd(second, -{int(lag)}, {lower})",
            "oracle": f"({lower} - numtodsinterval({int(lag)}, 'second'))",
        }[source.kind]
    window = _Window(column, start, upper, lower, int(nulls))
    return window, moment is None or _settled(source, moment)


def _is_time(column: _Column) -> bool:
    return column.base.startswith(("timestamp", "date"))


def _settled(source: _Source, moment: Any) -> bool:
    end = time.monotonic() + _SETTLE_S
    while True:
        source.context.check()
        row = source.rows(
            f"select pg_snapshot_xmin(pg_current_snapshot())::text::numeric >= {int(moment['xmax'])} "
            "and not exists (select 1 from pg_locks where locktype = 'transactionid' "
            "and mode = 'ExclusiveLock' and granted and transactionid::text = "
            f"any(string_to_array({_literal(source, moment['running'] or '')}, ','))) as done"
        )[0]
        if row["done"]:
            return True
        if time.monotonic() >= end:
            return False
        time.sleep(_POLL_S)


def _has_rows(source: _Source, window: _Window) -> bool:
    """Compared by the source, in its type."""
    if window.to is None or window.lower is None:
        return window.to is not None
    dual = " from dual" if source.kind == "oracle" else ""
    to = _typed(source, window.to, window.column.base)
    return (
        int(
            source.rows(f"select case when {to} > {window.lower} then 1 else 0 end as m{dual}")[0][
                0
            ]
        )
        == 1
    )


def _later(source: _Source, window: _Window) -> str | None:
    """The greater of two watermarks by the source's order: a table that lost its newest rows doesn't set it back."""
    if window.start is None or window.to is None:
        return window.to if window.to is not None else window.start
    base = window.column.base
    a, b = _typed(source, window.start, base), _typed(source, window.to, base)
    dual = " from dual" if source.kind == "oracle" else ""
    row = source.rows(f"select case when {a} > {b} then 1 else 0 end as m{dual}")[0]
    return window.start if int(row[0]) == 1 else window.to


def _parts(
    source: _Source,
    step: dict[str, Any],
    table: str,
    columns: list[_Column],
    window: _Window | None,
) -> DataFrame:
    """All rows of the object or its window; in parts where the config says by which column."""
    conditions = []
    if window is not None and window.to is not None:
        name = _quoted(source, window.column.name)
        conditions.append(f"{name} <= {_typed(source, window.to, window.column.base)}")
        if window.lower is not None:
            conditions.append(f"{name} > {window.lower}")
    where = f" where {' and '.join(conditions)}" if conditions else ""
    chunking = step["chunking"] or {}
    by = _column(step, columns, chunking["column"]) if chunking.get("column") else None
    # Spark parts by values that it can count between.
    if by is not None and not re.match(r"small|int|big|date|timestamp|decimal|numeric", by.base):
        by = None
    listed = ", ".join(
        f"{column.select} {_quoted(source, f'c{n}')}" for n, column in enumerate(columns)
    )
    if by is None:
        rows = source.read(f"select {listed} from {table}{where}")
        return _named(rows, columns)
    name = _quoted(source, by.name)
    bounds = source.rows(
        f"select min({name}) as a, max({name}) as b, count(*) as n from {table}{where}"
    )[0]
    parts = min(64, int(bounds["n"]) // int(chunking.get("rows", 1_000_000)) + 1)
    if bounds["a"] is None or parts < 2:
        return _named(source.read(f"select {listed} from {table}{where}"), columns)
    alias = "parts" if source.kind == "oracle" else "as parts"
    rows = (
        source.context.spark.read.format("jdbc")
        .options(**source.options)
        .option("dbtable", f"(select {listed}, {name} lf_part from {table}{where}) {alias}")
        .option("partitionColumn", "lf_part")
        .option("lowerBound", str(bounds["a"]))
        .option("upperBound", str(bounds["b"]))
        .option("numPartitions", str(parts))
        .load()
    )
    return _named(rows, columns)


def _named(rows: DataFrame, columns: list[_Column]) -> DataFrame:
    from pyspark.sql import functions as f

    return rows.select(
        *[
            f.col(rows.columns[n]).cast(column.raw_type).alias(column.raw_name)
            for n, column in enumerate(columns)
        ]
    )


def source_error(error: BaseException, step: dict[str, Any]) -> LakeForgeError:
    """What a driver complains about, as one of ours. Its text may hold an address or a value: none of it goes on."""
    text = str(error)
    options = step["source"]["options"]
    kind = step["source"]["kind"]
    at = {
        "source": step["source"]["name"],
        "server": f"{options.get('host', '')}:{options.get('port', DIALECTS[kind].port)}",
    }
    if re.search(r"ClassNotFoundException|No suitable driver", text):
        return LakeForgeError(
            "engine_unsupported", engine="spark", what=f"{kind} without its JDBC driver"
        )
    if re.search(
        r"password authentication failed|Access denied|Login failed|ORA-01017|28P01", text
    ):
        user = options.get("user", "")
        return LakeForgeError(
            "source_login_failed", user=user, reason="wrong user or password", **at
        )
    if re.search(
        r"Connection .*refused|UnknownHost|Communications link failure|connection attempt failed|TCP/IP",
        text,
    ):
        return LakeForgeError("source_unreachable", reason="nobody answers", **at)
    if re.search(r'relation ".*" does not exist|doesn.t exist|Invalid object name|ORA-00942', text):
        return LakeForgeError("source_object_missing", object=step["object"][:200])
    if "permission denied" in text or "ORA-01031" in text:
        return LakeForgeError("source_denied", source=at["source"], reason="permission denied")
    object, reason = step["object"][:200], type(error).__name__
    return LakeForgeError("source_failed", source=at["source"], object=object, reason=reason)

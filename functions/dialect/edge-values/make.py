"""Answers of a real Spark (ANSI on, UTC) to cases/*.json, written to answers/*.json.

A case file has columns, rows and expressions over them, or tables and queries over those. Values
are texts: numbers and decimals in full, dates and timestamps as Spark prints them, binary in
hexadecimal digits; NULL is null; a failure is an object with Spark's error class.
"""

import decimal
import json
import logging
import pathlib
import re
import sys
import tempfile

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession
from pyspark.sql import types as t

FAILURES = (PySparkException, Py4JJavaError)
HERE = pathlib.Path(__file__).parent


def session() -> SparkSession:
    return (
        SparkSession.builder.master("local[1]")
        .config("spark.ui.enabled", "false")
        .config("spark.ui.showConsoleProgress", "false")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.driver.memory", "1g")
        .config("spark.log.level", "OFF")
        .config("spark.sql.warehouse.dir", tempfile.mkdtemp(prefix="edge-values-"))
        .config("spark.sql.session.timeZone", "UTC")
        .config("spark.sql.ansi.enabled", "true")
        .config("spark.sql.shuffle.partitions", "1")
        # Thousands of tiny queries: compiling each would take most of the time.
        .config("spark.sql.codegen.wholeStage", "false")
        .config("spark.sql.codegen.factoryMode", "NO_CODEGEN")
        .getOrCreate()
    )


def literal(value, kind: t.DataType) -> str:
    """A case's JSON value as SQL of exactly that type."""
    name = kind.simpleString()
    if value is None:
        return f"cast(null as {name})"
    if isinstance(kind, t.ArrayType):
        inner = ", ".join(literal(each, kind.elementType) for each in value)
        return f"cast(array({inner}) as {name})"
    if isinstance(kind, t.MapType):
        pairs = ((literal(k, kind.keyType), literal(v, kind.valueType)) for k, v in value.items())
        return f"cast(map({', '.join(k + ', ' + v for k, v in pairs)}) as {name})"
    if isinstance(kind, t.StructType):
        inner = ", ".join(f"'{f.name}', {literal(value[f.name], f.dataType)}" for f in kind.fields)
        return f"cast(named_struct({inner}) as {name})"
    # Only quotes and backslashes mean something inside a literal.
    quoted = "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
    return f"unhex({quoted})" if name == "binary" else f"cast({quoted} as {name})"


def show(value, kind: t.DataType):
    """A value of Spark as JSON: texts, null, lists, objects."""
    if value is None:
        return None
    if isinstance(kind, t.ArrayType):
        return [show(each, kind.elementType) for each in value]
    if isinstance(kind, t.MapType):
        return {str(show(k, kind.keyType)): show(v, kind.valueType) for k, v in value.items()}
    if isinstance(kind, t.StructType):
        return {f.name: show(value[i], f.dataType) for i, f in enumerate(kind.fields)}
    if isinstance(kind, t.BooleanType):
        return "true" if value else "false"
    if isinstance(kind, t.DecimalType):
        return format(value.quantize(decimal.Decimal(1).scaleb(-kind.scale)), "f")
    if isinstance(kind, (t.FloatType, t.DoubleType)):
        return repr(value)
    if isinstance(kind, t.BinaryType):
        return bytes(value).hex()
    if isinstance(kind, (t.TimestampType, t.TimestampNTZType)):
        text = value.isoformat(sep=" ")
        return text.rstrip("0") if "." in text else text
    return str(value)


def failure(error: Exception) -> dict:
    # Some errors reach Python as Java's, with the class in their text alone.
    condition = error.getCondition() if isinstance(error, PySparkException) else None
    found = re.search(r"\[([A-Z_.]+)\]", str(error))
    return {"error": condition or (found[1] if found else "UNKNOWN")}


def plain(frame):
    """Dates and timestamps beyond Python's years come as Spark's text."""
    types = [field.dataType for field in frame.schema.fields]
    texts = [
        f"cast(`{field.name}` as string) as `{field.name}`"
        if isinstance(field.dataType, (t.DateType, t.TimestampType, t.TimestampNTZType))
        else f"`{field.name}`"
        for field in frame.schema.fields
    ]
    return frame.selectExpr(*texts), [
        t.StringType() if isinstance(k, (t.DateType, t.TimestampType, t.TimestampNTZType)) else k
        for k in types
    ]


def expression(spark, sql: str, count: int) -> dict:
    try:
        field = spark.sql(f"select {sql} as v from case").schema.fields[0]
    except FAILURES as error:
        return failure(error)
    found = {"type": field.dataType.simpleString(), "nullable": field.nullable}

    def answers(where: str) -> list:
        frame, kinds = plain(spark.sql(f"select {sql} as v from case {where}"))
        return [show(row[0], kinds[0]) for row in frame.collect()]

    try:
        found["values"] = answers("")
    except FAILURES:
        found["values"] = []
        for i in range(count):
            try:
                found["values"] += answers(f"where i_ = {i}")
            except FAILURES as error:
                found["values"].append(failure(error))
    return found


def query(spark, sql: str) -> dict:
    try:
        frame = spark.sql(sql)
        fields = [
            {"name": f.name, "type": f.dataType.simpleString(), "nullable": f.nullable}
            for f in frame.schema.fields
        ]
        frame, kinds = plain(frame)
        rows = [[show(v, k) for v, k in zip(row, kinds, strict=True)] for row in frame.collect()]
        return {"columns": fields, "rows": rows}
    except FAILURES as error:
        return failure(error)


def table(spark, name: str, columns: dict, rows: list, index: bool) -> None:
    """A view over literals: Spark then evaluates projections while planning, without a job."""
    view = f"create or replace {'' if '.' in name else 'temporary '}view {name} as "
    kinds = [
        spark.sql(f"select cast(null as {text.removesuffix(' not null')}) as v").schema[0].dataType
        for text in columns.values()
    ]
    frames = []
    for i, row in enumerate(rows):
        items = [literal(v, k) for v, k in zip(row, kinds, strict=True)]
        for at, text in enumerate(columns.values()):
            if text.endswith(" not null"):
                items[at] = f"coalesce({items[at]}, 0)"
        frames.append(items + ([str(i)] if index else []))
    names = [*columns, "i_"] if index else list(columns)
    if not frames:
        empty = ", ".join(f"{literal(None, k)} as `{n}`" for n, k in zip(names, kinds, strict=True))
        spark.sql(f"{view}select {empty} where false")
        return
    values = ", ".join("(" + ", ".join(items) + ")" for items in frames)
    required = [n for n, text in columns.items() if text.endswith(" not null")]
    # A literal without any NULL in its column would be taken as never NULL.
    nulls = ", ".join(
        "0" if n in required else literal(None, k) for n, k in zip(columns, kinds, strict=True)
    )
    extra = f"({nulls}, -1)" if index else f"({nulls})"
    listed = ", ".join(f"`{n}`" for n in names)
    inline = f"select * from values {values}, {extra} as v({listed})"
    where = " where i_ >= 0" if index else f" where `{required[0]}` <> 0" if required else ""
    spark.sql(view + inline + (where or f" limit {len(rows)}"))


def write(path: pathlib.Path, spark_version: str, answers: dict) -> None:
    def text(value) -> str:
        return json.dumps(value, ensure_ascii=False)

    lines = [f"  {text(k)}: {text(v)}" for k, v in {"spark": spark_version, **answers}.items()]
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


def main(names: list[str]) -> None:
    # Failures are answers here, not news.
    logging.disable(logging.CRITICAL)
    decimal.getcontext().prec = 60
    spark = session()
    (HERE / "answers").mkdir(exist_ok=True)
    for path in sorted((HERE / "cases").glob("*.json")):
        if names and path.stem not in names:
            continue
        case = json.loads(path.read_text(encoding="utf-8"))
        answers = {}
        if "expressions" in case:
            table(spark, "case", case["columns"], case["rows"], index=True)
            for sql in case["expressions"]:
                answers[sql] = expression(spark, sql, len(case["rows"]))
        for name, each in case.get("tables", {}).items():
            spark.sql(f"create database if not exists {name.split('.')[0]}")
            table(spark, name, each["columns"], each["rows"], index=False)
        for sql in case.get("queries", []):
            answers[sql] = query(spark, sql)
        count = sum(len(a.get("values", a.get("rows", [0]))) for a in answers.values())
        print(f"{path.stem}: {len(answers)} cases, {count} answers", flush=True)
        write(HERE / "answers" / path.name, spark.version, answers)


if __name__ == "__main__":
    main(sys.argv[1:])

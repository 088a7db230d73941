"""Independent readers of Delta tables for the tests: one request a line in, one answer a line out.

`readers.py deltalake|spark`. Values leave in one canonical form, so that readers can be compared as
text: integers, decimals and times as text (microseconds or days since 1970), floats by their bits,
binary as hex, maps as sorted pairs.
"""

import datetime
import decimal
import json
import math
import os
import struct
import sys

EPOCH = datetime.datetime(1970, 1, 1)


def canonical(value):
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, float):
        return "nan" if math.isnan(value) else struct.pack(">d", value).hex()
    if isinstance(value, int):
        return str(value)
    if isinstance(value, decimal.Decimal):
        # PySpark gives a decimal(38,38) with a 39th digit, a zero.
        text = format(value, "f")
        return text.rstrip("0").rstrip(".") if "." in text else text
    if isinstance(value, (bytes, bytearray)):
        return bytes(value).hex()
    if isinstance(value, datetime.datetime):
        if value.tzinfo is not None:
            value = value.astimezone(datetime.UTC).replace(tzinfo=None)
        return str((value - EPOCH) // datetime.timedelta(microseconds=1))
    if isinstance(value, datetime.date):
        return str((value - EPOCH.date()).days)
    if hasattr(value, "asDict"):
        return {name: canonical(field) for name, field in value.asDict(recursive=False).items()}
    if isinstance(value, Pairs):
        return sorted(
            ([canonical(k), canonical(v)] for k, v in value.pairs),
            key=lambda pair: json.dumps(pair, ensure_ascii=False),
        )
    if isinstance(value, dict):
        return {name: canonical(field) for name, field in value.items()}
    if isinstance(value, (list, tuple)):
        return [canonical(item) for item in value]
    raise TypeError(type(value))


class Pairs:
    """A map's entries: Python would take a map for a struct."""

    def __init__(self, pairs):
        self.pairs = pairs


def open_deltalake():
    from deltalake import DeltaTable, QueryBuilder, write_deltalake

    def table(request):
        return DeltaTable(request["dir"], version=request.get("version"))

    def query(request):
        builder = QueryBuilder().register("t", table(request))
        return builder.execute(request["sql"]).read_all()

    def rows(request):
        found = query(request)
        maps = [name for name in found.column_names if str(found[name].type).find("<Map") > 0]
        columns = {
            name: [
                Pairs(value) if name in maps and value is not None else value
                for chunk in found[name].chunks
                for value in (item.as_py() for item in chunk)
            ]
            for name in found.column_names
        }
        return [
            {name: canonical(columns[name][at]) for name in found.column_names}
            for at in range(found.num_rows)
        ]

    def append(request):
        write_deltalake(request["dir"], query(request), mode="append")
        return None

    return {"rows": rows, "append": append}


def open_spark():
    os.environ["TZ"] = "UTC"
    from pyspark.sql import SparkSession
    from pyspark.sql import functions as F
    from pyspark.sql.types import (
        ArrayType,
        DateType,
        MapType,
        StructType,
        TimestampNTZType,
        TimestampType,
    )

    session = (
        SparkSession.builder.master("local[1]")
        .config("spark.jars", os.environ["DELTA_JARS"])
        .config("spark.sql.extensions", "io.delta.sql.DeltaSparkSessionExtension")
        .config(
            "spark.sql.catalog.spark_catalog", "org.apache.spark.sql.delta.catalog.DeltaCatalog"
        )
        .config("spark.sql.session.timeZone", "UTC")
        .config("spark.sql.shuffle.partitions", "1")
        .config("spark.databricks.delta.snapshotPartitions", "1")
        # Compiling a plan costs more than running it over thirty rows.
        .config("spark.sql.codegen.wholeStage", "false")
        .config("spark.sql.codegen.factoryMode", "NO_CODEGEN")
        .config("spark.sql.adaptive.enabled", "false")
        .config("spark.ui.enabled", "false")
        .config("spark.driver.memory", "1g")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.sql.warehouse.dir", os.environ["READERS_SCRATCH"])
        .getOrCreate()
    )
    session.sparkContext.setLogLevel("ERROR")

    def numbered(column, kind):
        """Times as numbers already in Spark: Python's datetime fails at both ends of the years."""
        if isinstance(kind, (TimestampType, TimestampNTZType)):
            return F.unix_micros(column.cast("timestamp"))
        if isinstance(kind, DateType):
            return F.unix_date(column)
        if isinstance(kind, ArrayType):
            return F.transform(column, lambda item: numbered(item, kind.elementType))
        if isinstance(kind, StructType):
            fields = [numbered(column[f.name], f.dataType).alias(f.name) for f in kind.fields]
            return F.when(column.isNotNull(), F.struct(*fields))
        return column

    def mapped(value, kind):
        if value is None:
            return None
        if isinstance(kind, MapType):
            return Pairs(
                [(mapped(k, kind.keyType), mapped(v, kind.valueType)) for k, v in value.items()]
            )
        if isinstance(kind, ArrayType):
            return [mapped(item, kind.elementType) for item in value]
        if isinstance(kind, StructType):
            return {field.name: mapped(value[field.name], field.dataType) for field in kind.fields}
        return value

    def query(request):
        reader = session.read.format("delta")
        if request.get("version") is not None:
            reader = reader.option("versionAsOf", request["version"])
        reader.load(request["dir"]).createOrReplaceTempView("t")
        return session.sql(request["sql"])

    def rows(request):
        asked = query(request)
        found = asked.select(
            [numbered(asked[f.name], f.dataType).alias(f.name) for f in asked.schema.fields]
        )
        return [canonical(mapped(row, found.schema)) for row in found.collect()]

    def append(request):
        writer = query(request).write.format("delta").mode(request.get("mode", "append"))
        for key, value in request.get("options", {}).items():
            writer = writer.option(key, value)
        writer.save(request.get("to", request["dir"]))
        return None

    def run(request):
        for statement in request["statements"]:
            session.sql(statement).collect()
        return None

    return {"rows": rows, "append": append, "run": run}


def main():
    # Libraries print as they like; the answers have the real standard output for themselves.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    verbs = {"deltalake": open_deltalake, "spark": open_spark}[sys.argv[1]]()
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = {"value": verbs[request["verb"]](request)}
        except Exception as error:  # noqa: BLE001 - the test shows it
            answer = {"error": str(error)[:2000]}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


main()

"""Spark sessions as LakeForge needs them: ANSI SQL, UTC, and Delta's extensions where Spark isn't Databricks' own."""

from __future__ import annotations

import os
import tempfile

from pyspark.sql import SparkSession

# Per session: what rows come out must not depend on where they are computed.
SETTINGS = {
    "spark.sql.ansi.enabled": "true",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.caseSensitive": "false",
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
    "spark.sql.parquet.datetimeRebaseModeInWrite": "CORRECTED",
    "spark.sql.parquet.datetimeRebaseModeInRead": "CORRECTED",
    "spark.sql.parquet.int96RebaseModeInRead": "CORRECTED",
    "spark.sql.csv.parser.columnPruning.enabled": "false",
    "spark.sql.json.enableExactStringParsing": "true",
}


def open_session(jars: str | None = None, memory: str | None = None) -> SparkSession:
    """The active session where there is one (a notebook); else one on SPARK_REMOTE, or on SPARK_MASTER (default `local[2]`)
    with Delta from `jars` (comma-separated paths) or LAKEFORGE_SPARK_JARS."""
    active = SparkSession.getActiveSession()
    if active is not None:
        return active
    builder = SparkSession.builder.appName("lakeforge")
    if os.environ.get("SPARK_REMOTE"):
        return builder.getOrCreate()
    jars = jars or os.environ.get("LAKEFORGE_SPARK_JARS")
    memory = memory or os.environ.get("LAKEFORGE_SPARK_MEMORY", "2g")
    if jars:
        builder = builder.config("spark.jars", jars)
    if "LAKEFORGE_SPARK_SUBMITTED" not in os.environ:
        builder = builder.master(os.environ.get("SPARK_MASTER", "local[2]"))
    if os.environ.get("SPARK_MASTER", "local").startswith("local"):
        builder = (
            builder.config("spark.driver.bindAddress", "127.0.0.1")
            .config("spark.driver.host", "127.0.0.1")
            .config("spark.sql.shuffle.partitions", "2")
            .config("spark.databricks.delta.snapshotPartitions", "2")
            .config("spark.sql.adaptive.enabled", "false")
            # Tables lie in their lakes; a folder that Spark wants all the same is nobody's.
            .config(
                "spark.sql.warehouse.dir", os.path.join(tempfile.gettempdir(), "lakeforge-spark")
            )
        )
    for key, value in _given():
        builder = builder.config(key, value)
    return (
        builder.config("spark.driver.memory", memory)
        .config("spark.ui.enabled", "false")
        .config("spark.ui.showConsoleProgress", "false")
        .config("spark.log.level", "ERROR")
        .config("spark.sql.extensions", "io.delta.sql.DeltaSparkSessionExtension")
        .config(
            "spark.sql.catalog.spark_catalog", "org.apache.spark.sql.delta.catalog.DeltaCatalog"
        )
        .getOrCreate()
    )


def active_session() -> SparkSession:
    """The session that a runtime has made."""
    return SparkSession.active()


def _given() -> list[tuple[str, str]]:
    """Settings of LAKEFORGE_SPARK_CONF: `key=value`, one a line or with semicolons between."""
    text = os.environ.get("LAKEFORGE_SPARK_CONF", "").replace(";", "\n")
    pairs = (line.strip().partition("=") for line in text.splitlines() if "=" in line)
    return [(key.strip(), value.strip()) for key, _, value in pairs]


def new_session(spark: SparkSession) -> SparkSession:
    """A session with views and settings of its own, on the same cluster; where there is only one (serverless), that one."""
    try:
        own = spark.newSession()
    except Exception:
        own = spark
    for key, value in SETTINGS.items():
        try:
            own.conf.set(key, value)
        except Exception:
            continue  # a managed runtime allows some only, and has the others by default
    return own

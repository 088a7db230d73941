"""A transform of one's own: the mean of a value and the two before it, by Spark's frames instead of SQL.

A silver or gold table names it by the property `lakeforge.transform: smooth_transform`. It gets the rows of the table's query and
gives rows with the table's columns; rules, dedupe and the writer come after it. No actions here: it only defines a frame."""

from __future__ import annotations

from typing import Any

from pyspark.sql import DataFrame, SparkSession, Window
from pyspark.sql import functions as f


def transform(_spark: SparkSession, rows: DataFrame, _step: dict[str, Any]) -> DataFrame:
    last_three = Window.orderBy("n").rowsBetween(-2, 0)
    return rows.withColumn("smooth", f.avg("square").over(last_three))

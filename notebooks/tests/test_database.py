"""PostgreSQL over JDBC: all rows, windows of a cursor, parts; types as the local engine pins them."""

from __future__ import annotations

import datetime as dt
import decimal
import os
from urllib.parse import urlsplit

import pytest
from conftest import columns, plan

from lakeforge.lake import Lake
from lakeforge.plan import check_plan
from lakeforge.run import run_plan

URL = os.environ.get("TEST_POSTGRES_URL")
pytestmark = pytest.mark.skipif(URL is None, reason="TEST_POSTGRES_URL names no PostgreSQL")
ZONES = ("raw", "bronze")
TYPES = ("id int", "name string", "amount decimal(10,2)", "at timestamp", "tags array<string>")


@pytest.fixture
def sql(spark):
    """Runs statements on the database, by the driver that Spark has."""
    at = urlsplit(URL)
    url = f"jdbc:postgresql://{at.hostname}:{at.port}{at.path}?user={at.username}"
    connection = spark._jvm.org.postgresql.Driver().connect(url, spark._jvm.java.util.Properties())

    def run(text):
        statement = connection.createStatement()
        statement.execute(text)
        statement.close()

    run("drop schema if exists lf_spark cascade; create schema lf_spark")
    run(
        "create table lf_spark.orders (id int primary key, name text, amount numeric(10,2), "
        "at timestamptz, tags text[])"
    )
    yield run
    run("drop schema lf_spark cascade")
    connection.close()


def made(**more):
    at = urlsplit(URL)
    whole = plan("/nowhere")
    raw, bronze = whole["steps"][:2]
    cols = columns(*TYPES)
    options = {
        "host": at.hostname,
        "port": at.port,
        "database": at.path.strip("/"),
        "user": at.username,
        "sslmode": "disable",
    }
    raw |= {
        "source": {"id": "p", "name": "shop", "kind": "postgres", "options": options},
        "object": "lf_spark.orders",
        "format": "table",
        "columns": cols,
        "read_mode": "incremental",
        "cursor": {"column": "at", "start": None, "lag_s": None},
        **more,
    }
    bronze["columns"] = [{**c, "source_name": c["name"]} for c in cols] + bronze["columns"][3:]
    return check_plan({**whole, "steps": [raw, bronze]})


def run(spark, root, whole, seq):
    run_input = {
        "format": 1,
        "batch_id": f"batch-{seq}",
        "plan_hash": "p",
        "group": "g",
        "environment": "e",
        "seq": str(seq),
        "batch_time": "2026-01-01T00:00:00.000Z",
        "watermarks": {},
    }
    outcomes = run_plan(spark, Lake(str(root)), whole, run_input, ZONES)
    assert [outcome["error"] for outcome in outcomes.values()] == [None] * len(outcomes)
    return outcomes


def rows(spark, root):
    frame = spark.read.format("delta").load(f"{root}/tables/b/events")
    return [
        tuple(r) for r in frame.orderBy("id").select("id", "name", "amount", "at", "tags").collect()
    ]


def test_windows_of_a_cursor_take_each_row_once_with_its_types(spark, sql, tmp_path):
    sql(
        "insert into lf_spark.orders values (1, 'Zoë', 1.50, '2026-01-01 10:00:00+02', '{a,b}'), "
        "(2, null, null, '2026-01-02 00:00:00.123456+00', '{}'), (3, 'never', 3, null, null)"
    )
    first = run(spark, tmp_path, made(), 1)["raw:files.events"]
    assert first["counts"]["rows_read"] == 2
    assert first["watermark_to"].startswith("2026-01-02 00:00:00.123456")
    found = rows(spark, tmp_path)
    eight = dt.datetime(2026, 1, 1, 8)
    assert found[0] == (1, "Zoë", decimal.Decimal("1.50"), eight, ["a", "b"])
    assert found[1][4] == []
    # Nothing new: nothing is written. Then only what is new.
    assert run(spark, tmp_path, made(), 2)["raw:files.events"]["files"] == []
    sql("insert into lf_spark.orders values (4, 'new', 4, '2026-01-03 00:00:00+00', null)")
    third = run(spark, tmp_path, made(), 3)["raw:files.events"]
    assert (third["counts"]["rows_read"], third["watermark_from"]) == (1, first["watermark_to"])
    assert [row[0] for row in rows(spark, tmp_path)] == [1, 2, 4]


def test_a_full_read_in_parts_has_every_row_once(spark, sql, tmp_path):
    sql(
        "insert into lf_spark.orders select n, 'n' || n, n, now(), null from generate_series(1, 500) n"
    )
    chunking = {"column": "id", "rows": 100}
    whole = made(read_mode="full", cursor=None, chunking=chunking)
    outcome = run(spark, tmp_path, whole, 1)["raw:files.events"]
    assert outcome["counts"]["rows_read"] == 500
    assert len(outcome["files"]) > 1
    assert [row[0] for row in rows(spark, tmp_path)] == list(range(1, 501))


def test_a_table_that_is_not_there_is_named_and_no_address_is(spark, sql, tmp_path):
    whole = made(object="lf_spark.none")
    run_input = {**_INPUT, "seq": "1"}
    outcome = run_plan(spark, Lake(str(tmp_path)), whole, run_input, ("raw",))["raw:files.events"]
    assert outcome["error"]["code"] == "source_object_missing"
    assert "jdbc" not in str(outcome)


_INPUT = {
    "format": 1,
    "batch_id": "b",
    "plan_hash": "p",
    "group": "g",
    "environment": "e",
    "batch_time": "2026-01-01T00:00:00.000Z",
    "watermarks": {},
}

"""What the library decides without a Spark, and what it refuses."""

from __future__ import annotations

import pytest
from conftest import plan

from lakeforge.errors import LakeForgeError
from lakeforge.names import legal_columns, literal, quote
from lakeforge.plan import check_plan, definition_of, parse_plan
from lakeforge.raw.documents import records_of
from lakeforge.raw.nested import fitted
from lakeforge.report import balance
from lakeforge.sql_text import rewrite, view_names


def test_a_plan_is_checked_against_the_schema_that_typescript_has():
    made = plan("/data")
    assert check_plan(made) is made
    made["steps"][1]["schema_policy"] = "whatever"
    with pytest.raises(LakeForgeError) as error:
        check_plan(made)
    assert error.value.code == "plan_invalid"
    assert "schema_policy" in str(error.value)
    assert "whatever" not in str(error.value)
    with pytest.raises(LakeForgeError):
        parse_plan("{")


def test_order_and_retries_of_a_step_say_nothing_of_its_table():
    step = plan("/data")["steps"][2]
    assert definition_of({**step, "retries": 5, "depends_on": []}) == definition_of(step)
    assert definition_of({**step, "load_type": "replace"}) != definition_of(step)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("select id from b.t", "select id from `t`"),
        ("select `b`.`t`.`id` from `b`.`t`", "select `t`.`id` from `t`"),
        ("select 'b.t', \"b.t\" -- b.t\nfrom B.T", "select 'b.t', \"b.t\" -- b.t\nfrom `t`"),
        ("select x.b.t from b.t as x", "select x.b.t from `t` as x"),
    ],
)
def test_table_names_of_a_query_become_views(query, expected):
    assert rewrite(query, view_names(query, ["b.t"]), "2026-01-01T00:00:00Z") == (expected, False)


def test_a_table_expression_of_the_same_name_does_not_hide_the_table():
    query = "with t as (select * from b.t) select * from t, b.t"
    text, _ = rewrite(query, view_names(query, ["b.t"]), "2026-01-01T00:00:00Z")
    assert text == "with t as (select * from `__b__t`) select * from t, `__b__t`"


def test_the_clock_of_a_query_is_that_of_the_batch():
    query = "select current_timestamp(), current_date, t.now from b.t"
    text, by_time = rewrite(query, {"b.t": "t"}, "2026-01-01T00:00:00Z")
    moment = "timestamp'2026-01-01T00:00:00Z'"
    assert by_time
    assert text == f"select cast({moment} as timestamp), cast({moment} as date), t.now from `t`"


def test_names_and_texts_are_quoted():
    assert quote("a`b") == "`a``b`"
    assert literal("it's \\ here") == "'it\\'s \\\\ here'"
    assert legal_columns(["Order ID", "order-id", "Größe", "名", "camelCase"]) == [
        "order_id",
        "order_id_2",
        "grosse",
        "column_4",
        "camel_case",
    ]


def test_records_of_documents_keep_their_text():
    document = '{"data": {"n": 1.50, "items": [{"id": 1.10}, {"id":\n 2}]}}'
    assert list(records_of(document, ["data", "items"], "f")) == ['{"id": 1.10}', '{"id":  2}']
    assert list(records_of('[1, "a"] {"b": []}', None, "f")) == ["1", '"a"', '{"b": []}']
    assert list(records_of('{"a": 1}', ["b"], "f")) == []
    with pytest.raises(LakeForgeError):
        list(records_of('[{"id": 1}', None, "f"))


def test_nested_values_are_kept_as_far_as_they_fit():
    kind = "struct<a:int,b:array<string>>"
    assert fitted(kind, '{"a":1,"b":["x",2]}') == ('{"a":1,"b":["x","2"]}', False, False)
    assert fitted(kind, '{"a":1,"c":2}') == ('{"a":1,"b":null}', False, True)
    assert fitted(kind, '{"a":"x"}') == ('{"a":null,"b":null}', True, False)
    assert fitted(kind, "null") == (None, False, False)


def test_a_balance_that_does_not_close_says_so():
    assert balance({"rows_read": 2, "rows_written": 1, "rows_dropped": 1}) is None
    assert "2 read" in balance({"rows_read": 2, "rows_written": 1})

"""Quality rules on the transformed rows of a table, as Spark SQL over the alias `r`.

Three-valued: NULL means that the rule can't say, and then the row fails unless the rule lets NULL pass.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as f

from .content_hash import parse_type
from .errors import LakeForgeError, condition_of, fail, spark_error
from .names import literal, quote

Rule = dict[str, Any]
Column = tuple[str, str]
T = TypeVar("T")

# `_errors` of a quarantine table: each rule that the row failed and that applied.
ERRORS_TYPE = (
    "array<struct<rule:string,message:string,columns:array<string>,action:string,batch_id:string,"
    "fingerprint:string>>"
)
SAMPLES = 20
SAMPLE_COLUMNS = 40
SAMPLE_CHARACTERS = 200


@dataclass(frozen=True)
class Verdict:
    """`good`: the rows that go on. `bad`: those of the quarantine, with `_errors`; None when there are none."""

    good: DataFrame
    bad: DataFrame | None = None
    results: list[dict[str, Any]] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)

    @property
    def failed(self) -> dict[str, Any] | None:
        """The first rule with on_fail `fail` that failed: nothing of this batch may be committed."""
        for result in self.results:
            if result["applied"] and result["on_fail"] == "fail":
                return result
        return None


@dataclass(frozen=True)
class _Keys:
    """Values that need a pass of their own: `frame` holds each failing key once, as `__k0, __k1, …`, without NULLs."""

    columns: list[str]
    frame: DataFrame


@dataclass(frozen=True)
class _Compiled:
    message: str
    passes: str
    keys: _Keys | None = None


@dataclass(frozen=True)
class _Given:
    spark: SparkSession
    rule: Rule
    columns: list[Column]
    all_columns: list[Column]
    rows: DataFrame
    looked: str | None
    target: DataFrame | None
    table: Callable[[str], DataFrame]


def judge(
    spark: SparkSession,
    rows: DataFrame,
    columns: list[Column],
    rules: list[Rule],
    *,
    batch_id: str,
    quarantine: bool,
    target: DataFrame | None,
    table: Callable[[str], DataFrame],
    pii: set[str],
) -> Verdict:
    """Judges all rows. A row that fails several rules takes the hardest of their actions (fail, quarantine, drop, warn) and
    counts once; a rule acts only if more than `threshold` of the rows that it looked at fail. `target`: the table's rows
    before this batch, where `unique` looks too. Raises rule_invalid, rule_broken."""
    if not rules:
        return Verdict(rows)
    marked = rows.alias("r")
    names = [quote(name) for name in rows.columns]
    compiled: list[_Compiled] = []
    for n, rule in enumerate(rules):
        one = _compile(spark, rule, columns, rows, target, table)
        passes = one.passes
        if one.keys is not None:
            keyed = one.keys.frame.select(
                *[f.col(f"__k{k}").alias(f"__r{n}_{k}") for k in range(len(one.keys.columns))],
                f.lit(True).alias(f"__r{n}"),
            )
            on = " and ".join(f"r.{key} = __r{n}_{k}" for k, key in enumerate(one.keys.columns))
            marked = marked.join(keyed, f.expr(on), "left")
            null = " or ".join(f"r.{key} is null" for key in one.keys.columns)
            passes = f"case when {null} then null else __r{n} is null end"
        compiled.append(_Compiled(one.message, passes, one.keys))
    flags = []
    for n, (rule, one) in enumerate(zip(rules, compiled, strict=True)):
        looked = rule["filter"]
        fails = f"not coalesce({one.passes}, {str(rule['null_passes']).lower()})"
        looks = "true" if looked is None else f"coalesce(({looked}\n), false)"
        flags += [
            f"{looks} as __l{n}",
            f"(case when {looks} then {fails} else false end) as __f{n}",
        ]
    marked = _named(
        rules,
        lambda: marked.selectExpr(*[f"r.{name}" for name in names], *flags),
    )
    totals = [
        f.expr(f"count_if(__{which}{n})").alias(f"{which}{n}")
        for n in range(len(rules))
        for which in ("l", "f")
    ]
    row = _named(rules, lambda: marked.agg(*totals).first())
    results = [_result(rule, int(row[f"l{n}"]), int(row[f"f{n}"])) for n, rule in enumerate(rules)]
    _add_samples(marked, columns, rules, results, pii)
    return _split(marked, names, columns, rules, compiled, results, batch_id, quarantine)


def _result(rule: Rule, checked: int, failed: int) -> dict[str, Any]:
    return {
        "rule_id": rule["id"],
        "name": rule["name"],
        "check": rule["check"],
        "on_fail": rule["on_fail"],
        "columns": rule["columns"],
        "rows_checked": checked,
        "rows_failed": failed,
        "applied": failed > 0 and failed / checked > rule["threshold"],
        "fingerprint": rule["fingerprint"],
        "samples": [],
    }


def _add_samples(
    marked: DataFrame,
    columns: list[Column],
    rules: list[Rule],
    results: list[dict[str, Any]],
    pii: set[str],
) -> None:
    for n, rule in enumerate(rules):
        if results[n]["rows_failed"] == 0:
            continue
        own = [column for column in columns if column[0] in rule["columns"]]
        shown = (own + [column for column in columns if column not in own])[:SAMPLE_COLUMNS]
        values = [
            f"if({quote(name)} is null, null, '***') as {quote(name)}"
            if name.lower() in pii
            else f"left({_as_text(name, kind)}, {SAMPLE_CHARACTERS}) as {quote(name)}"
            for name, kind in shown
        ]
        found = marked.where(f"__f{n}").limit(SAMPLES).selectExpr(*values).collect()
        results[n]["samples"] = [row.asDict() for row in found]


def _as_text(name: str, kind: str) -> str:
    return f"hex({quote(name)})" if kind == "binary" else f"cast({quote(name)} as string)"


def _split(
    marked: DataFrame,
    names: list[str],
    columns: list[Column],
    rules: list[Rule],
    compiled: list[_Compiled],
    results: list[dict[str, Any]],
    batch_id: str,
    quarantine: bool,
) -> Verdict:
    acting = [n for n, result in enumerate(results) if result["applied"]]

    def any_of(action: str) -> str:
        return " or ".join(f"__f{n}" for n in acting if rules[n]["on_fail"] == action) or "false"

    if all(rules[n]["on_fail"] == "warn" for n in acting):
        return Verdict(marked.selectExpr(*names), None, results)
    away = f"({any_of('quarantine')})" if quarantine else "false"
    drop = any_of("drop") if quarantine else f"{any_of('drop')} or {any_of('quarantine')}"
    row = marked.selectExpr(
        f"count_if({away}) as quarantined", f"count_if(({drop}) and not {away}) as dropped"
    ).first()
    counts = {"rows_quarantined": int(row["quarantined"]), "rows_dropped": int(row["dropped"])}
    bad = None
    if counts["rows_quarantined"] > 0:
        errors = ", ".join(_error_sql(n, rules[n], compiled[n].message, batch_id) for n in acting)
        kept = f"filter(array({errors}), e -> e is not null)"
        bad = marked.where(away).selectExpr(
            *[quote(name) for name, _ in columns], f"cast({kept} as {ERRORS_TYPE}) as _errors"
        )
    good = marked.where(f"not ({away} or ({drop}))").selectExpr(*names)
    return Verdict(good, bad, results, counts)


def _error_sql(n: int, rule: Rule, message: str, batch_id: str) -> str:
    columns = ", ".join(literal(name) for name in rule["columns"])
    return (
        f"case when __f{n} then named_struct('rule', {literal(rule['name'])}, 'message', {literal(message)}, "
        f"'columns', cast(array({columns}) as array<string>), 'action', {literal(rule['on_fail'])}, "
        f"'batch_id', {literal(batch_id)}, 'fingerprint', {literal(rule['fingerprint'])}) end"
    )


def _compile(
    spark: SparkSession,
    rule: Rule,
    columns: list[Column],
    rows: DataFrame,
    target: DataFrame | None,
    table: Callable[[str], DataFrame],
) -> _Compiled:
    kind = KINDS.get(rule["check"])
    if kind is None:
        fail("rule_invalid", rule=rule["name"], reason=f'there is no check "{rule["check"]}"')
    known = {name.lower(): (name, text) for name, text in columns}
    own = []
    for name in rule["columns"]:
        if name.lower() not in known:
            fail("rule_invalid", rule=rule["name"], reason=f'the table has no column "{name}"')
        own.append(known[name.lower()])
    given = _Given(spark, rule, own, columns, rows, rule["filter"], target, table)
    return _one(rule, lambda: kind(given))


def condition(rule: Rule, columns: list[Column]) -> str:
    """When a row passes a rule that looks at nothing but the row: SQL over the columns, null where the rule can't say."""
    known = {name.lower(): (name, kind) for name, kind in columns}
    own = [known[name.lower()] for name in rule["columns"] if name.lower() in known]
    given = _Given(None, rule, own, columns, None, rule["filter"], None, None)  # type: ignore[arg-type]
    return KINDS[rule["check"]](given).passes.replace("r.`", "`")


def _not_null(given: _Given) -> _Compiled:
    return _Compiled(
        f"{_list(given)} is NULL",
        " and ".join(f"r.{quote(name)} is not null" for name, _ in given.columns),
    )


def _accepted_values(given: _Given) -> _Compiled:
    def accepted(column: Column) -> str:
        values = ", ".join(_value(value, column) for value in given.rule["options"]["values"])
        return f"(r.{quote(column[0])} in ({values}))"

    return _Compiled(
        f"{_list(given)} is not one of the accepted values",
        " and ".join(accepted(column) for column in given.columns),
    )


def _range(given: _Given) -> _Compiled:
    options = given.rule["options"]
    bounds: list[tuple[str, Any]] = []
    if options.get("min") is not None:
        bounds.append((">" if options.get("min_exclusive") else ">=", options["min"]))
    if options.get("max") is not None:
        bounds.append(("<" if options.get("max_exclusive") else "<=", options["max"]))

    def within(column: Column) -> str:
        # NaN counts as greater than everything, so "at least 5" would let it pass.
        floating = parse_type(column[1])[0] in ("float", "double")
        terms = [f"not isnan(r.{quote(column[0])})"] if floating else []
        terms += [f"r.{quote(column[0])} {sign} {_value(bound, column)}" for sign, bound in bounds]
        # isnan(null) is false, and a rule that can't say must say so.
        return f"(case when r.{quote(column[0])} is not null then {' and '.join(terms)} end)"

    said = " and ".join(f"{sign} {_said(bound)}" for sign, bound in bounds)
    return _Compiled(
        f"{_list(given)} is not {said}", " and ".join(within(column) for column in given.columns)
    )


def _regex(given: _Given) -> _Compiled:
    pattern = given.rule["options"]["pattern"]
    for name, kind in given.columns:
        if parse_type(kind) != ("string",):
            fail("rule_invalid", rule=given.rule["name"], reason=f'"{name}" is {kind}, not string')
    terms = [f"(r.{quote(name)} rlike {literal(pattern)})" for name, _ in given.columns]
    return _Compiled(f"{_list(given)} does not match {_said(pattern)}", " and ".join(terms))


def _expression(given: _Given) -> _Compiled:
    text = given.rule["options"]["expression"]
    return _Compiled(f"not true: {text}", f"({text}\n)")


def _unique(given: _Given) -> _Compiled:
    keys = [quote(name) for name, _ in given.columns]
    batch = _key_frame(given, given.rows)
    twice = batch.groupBy(*batch.columns).count().where("count > 1").drop("count")
    if given.target is not None:
        known = _key_frame(given, given.target)
        again = batch.join(known, batch.columns, "left_semi")
        twice = twice.union(again.select(*twice.columns)).distinct()
    return _Compiled(f"{_list(given)} occurs more than once", "", _Keys(keys, twice))


def _referential(given: _Given) -> _Compiled:
    options = given.rule["options"]
    keys = [quote(name) for name, _ in given.columns]
    mine = _key_frame(given, given.rows).distinct()
    theirs = given.table(options["table"]).selectExpr(
        *[f"{quote(name)} as __t{n}" for n, name in enumerate(options["columns"])]
    )
    on = " and ".join(f"__k{n} = __t{n}" for n in range(len(keys)))
    missing = mine.join(theirs, f.expr(on), "left_anti")
    there = ", ".join(options["columns"])
    return _Compiled(
        f"{_list(given)} is not in {options['table']} ({there})", "", _Keys(keys, missing)
    )


def _key_frame(given: _Given, rows: DataFrame) -> DataFrame:
    """The rule's columns as `__k0, __k1, …` of the rows that it looks at, without NULLs."""
    found = rows.alias("r")
    if given.looked is not None:
        found = found.where(f"({given.looked}\n)")
    found = found.selectExpr(*[f"r.{quote(n)} as __k{k}" for k, (n, _) in enumerate(given.columns)])
    return found.dropna()


KINDS: dict[str, Callable[[_Given], _Compiled]] = {
    "not_null": _not_null,
    "accepted_values": _accepted_values,
    "range": _range,
    "regex": _regex,
    "expression": _expression,
    "unique": _unique,
    "referential": _referential,
}


def _value(value: Any, column: Column) -> str:
    """A value of the rule's options in the column's own type, so that 1.10 and 1.1, or two instants, compare as values."""
    text = str(value).lower() if isinstance(value, bool) else _number(value)
    return f"cast({literal(text)} as {column[1]})"


def _said(value: Any) -> str:
    return f"'{value}'" if isinstance(value, str) else json.dumps(value)


def _number(value: Any) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _list(given: _Given) -> str:
    return ", ".join(name for name, _ in given.columns)


def _one(rule: Rule, action: Callable[[], T]) -> T:
    try:
        return action()
    except LakeForgeError as error:
        if error.code in ("value_invalid", "sql_failed"):
            raise rule_error(rule, error) from error
        raise
    except Exception as error:
        known = spark_error(error)
        if known.code in ("value_invalid", "sql_failed"):
            raise rule_error(rule, error) from error
        raise


def _named(rules: list[Rule], action: Callable[[], T]) -> T:
    """An error of all rules together carries the name of the only one, else of those that may be meant."""
    return _one({"name": ", ".join(rule["name"] for rule in rules)}, action)


def rule_error(rule: Rule, error: BaseException) -> LakeForgeError:
    """What went wrong with a rule, with its name."""
    reason = condition_of(error) or str(error).split("\n")[0][:200]
    return LakeForgeError("rule_broken", rule=rule["name"], reason=reason)

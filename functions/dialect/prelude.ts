// The macros that compiled SQL calls. A DuckDB connection runs PRELUDE once; then it evaluates as Spark does in ANSI mode:
// what Spark refuses at run time ends in error('LAKEFORGE:<class>'), with Spark's own name of the error.
// LAKEFORGE:UNSUPPORTED_VALUE is ours: Spark has an answer for the value, and we'd rather stop than guess it.
import { literalDuckdb } from '#core/names.ts'

/** `error(…)` with Spark's error class; it takes the type of its neighbours in a CASE. */
export const raise = (errorClass: string): string => `error('LAKEFORGE:${errorClass}')`

const INVALID = raise('CAST_INVALID_INPUT')
const OVERFLOW = raise('CAST_OVERFLOW')
const UNSUPPORTED = raise('UNSUPPORTED_VALUE')

/** What Spark trims before it reads a number or a date: all up to the space, and DEL. (NUL can't stand in a statement.) */
const CONTROL = literalDuckdb(
  Array.from({ length: 32 }, (_, index) => String.fromCharCode(index + 1)).join('') + '\u007f',
)

const macros: string[] = []
const macro = (signature: string, body: string) => {
  const flat = body.replace(/\s*\n\s*/g, ' ').trim()
  macros.push(`CREATE OR REPLACE TEMP MACRO ${signature} AS (${flat})`)
}
/**
 * A conversion of text in two forms: `name(s)` raises, `name_try(s)` gives NULL. What is written plainly is read at once;
 * the rest is trimmed, once, as `t`: a macro repeats its argument wherever it stands, a lambda doesn't.
 */
const reader = (
  name: string,
  plain: string,
  fast: (bad: string) => string,
  slow: (bad: string) => string,
  prepare = 'lf_trim(s)',
) => {
  for (const [suffix, bad] of [
    ['', INVALID],
    ['_try', 'NULL'],
  ] as const)
    macro(
      `${name}${suffix}(s)`,
      `CASE WHEN s IS NULL THEN NULL WHEN regexp_full_match(s, '${plain}') THEN ${fast(bad)}
        ELSE list_transform([${prepare}], lambda t: ${slow(bad)})[1] END`,
    )
}

macros.push(`CREATE OR REPLACE TEMP MACRO lf_trim(s) AS trim(s, ${CONTROL})`)
// TIMESTAMP is an instant and the session's zone is UTC: its clock reading, and back, without a look at the zone's rules.
macro('lf_naive(t)', 'make_timestamp(epoch_us(t))')
macro('lf_instant(t)', 'make_timestamptz(epoch_us(t))')
macro(
  'lf_floor_div(a, b)',
  'a // b - CASE WHEN a % b <> 0 AND (a < 0) <> (b < 0) THEN 1 ELSE 0 END',
)

// ---- text to other types ----

for (const [name, type, digits] of [
  ['tinyint', 'TINYINT', 2],
  ['smallint', 'SMALLINT', 4],
  ['int', 'INTEGER', 9],
  ['bigint', 'BIGINT', 18],
] as const)
  reader(
    `lf_str_${name}`,
    `-?[0-9]{1,${digits}}`,
    () => `CAST(s AS ${type})`,
    (bad) => `CASE WHEN regexp_full_match(t, '[+-]?[0-9]+')
      THEN coalesce(TRY_CAST(ltrim(t, '+') AS ${type}), ${bad}) ELSE ${bad} END`,
  )

const FLOAT = '[+-]?([0-9]+\\.?[0-9]*|\\.[0-9]+)([eE][+-]?[0-9]+)?[dDfF]?'
// Java also reads hexadecimal floats; nobody means them.
for (const type of ['double', 'float'])
  reader(
    `lf_str_${type}`,
    '-?[0-9]{1,15}(\\.[0-9]{1,15})?',
    () => `CAST(s AS ${type})`,
    (
      bad,
    ) => `CASE WHEN regexp_full_match(t, '${FLOAT}') THEN CAST(rtrim(ltrim(t, '+'), 'dDfF') AS ${type})
      WHEN regexp_full_match(t, '(?i)[+-]?(inf|infinity)')
        THEN CASE WHEN t[1] = '-' THEN CAST('-inf' AS ${type}) ELSE CAST('inf' AS ${type}) END
      WHEN lower(t) = 'nan' OR t IN ('+NaN', '-NaN') THEN CAST('nan' AS ${type})
      WHEN regexp_full_match(t, '[+-]?0[xX].*') THEN ${UNSUPPORTED} ELSE ${bad} END`,
  )
macro(
  'lf_is_decimal(s)',
  "regexp_full_match(lf_trim(s), '[+-]?([0-9]+\\.?[0-9]*|\\.[0-9]+)([eE][+-]?[0-9]{1,4})?')",
)
macro(
  'lf_point_at(digits, at_)',
  `CASE WHEN at_ <= 0 THEN '0.' || repeat('0', -at_) || digits WHEN at_ >= length(digits) THEN rpad(digits, at_::INTEGER, '0')
    ELSE digits[1:at_] || '.' || digits[at_ + 1:] END`,
)
// A number's text without exponent: DuckDB reads 5e-10 as decimal(18,2) as 0.01, since it rounds each digit that it moves.
macro(
  'lf_plain(s)',
  `CASE WHEN regexp_matches(s, '[eE]') THEN
    list_transform([regexp_extract(s, '^([+-]?)([0-9]*)\\.?([0-9]*)[eE]([+-]?[0-9]+)$', ['s', 'a', 'b', 'e'])], lambda t:
      t.s || lf_point_at(t.a || t.b, length(t.a) + t.e::INTEGER))[1] ELSE s END`,
)
// Java's decimals take the digits of every script; DuckDB's don't.
macro('lf_foreign_digits(s)', "strlen(s) <> length(s) AND regexp_matches(s, '[^0-9\\PN]')")

reader(
  'lf_str_boolean',
  'true|false',
  () => "(s = 'true')",
  (bad) => `CASE WHEN lower(t) IN ('t', 'true', 'y', 'yes', '1') THEN true
    WHEN lower(t) IN ('f', 'false', 'n', 'no', '0') THEN false ELSE ${bad} END`,
)

macro('lf_or(s, other)', "CASE WHEN s = '' THEN other ELSE s END")
const DAY = '([0-9]{4})(?:-([0-9]{1,2})(?:-([0-9]{1,2})'
// Only after the seconds there can be a zone.
const ZONE = ' *(?:Z|UTC|GMT|(?:UTC|GMT|UT)?([+-])([0-9]{1,2})(?::([0-9]{1,2}))?)'
const CLOCK = `[ T]([0-9]{1,2})(?::([0-9]{1,2})(?::([0-9]{1,2})(?:\\.([0-9]*))?(?:${ZONE})?)?)?`
/** Spark reads years of other lengths, signs, names of zones and times without a date; we stop at them. */
const UNUSUAL = `regexp_matches(lf_trim(s), '(?s)^[+-]?[0-9]{4,7}(-[0-9]{1,2}(-[0-9]{1,2}([ T].*)?)?)?$')`

reader(
  'lf_str_date',
  '[0-9]{4}-[0-9]{2}-[0-9]{2}',
  (bad) => `coalesce(TRY_CAST(s AS DATE), ${bad})`,
  (
    bad,
  ) => `CASE WHEN t.y <> '' THEN coalesce(TRY_CAST(t.y || '-' || lf_or(t.m, '1') || '-' || lf_or(t.d, '1') AS DATE), ${bad})
    WHEN ${UNUSUAL} THEN ${UNSUPPORTED} ELSE ${bad} END`,
  `regexp_extract(lf_trim(s), '(?s)^${DAY}(?:[ T].*)?)?)?$', ['y', 'm', 'd'])`,
)

const PARTS = `regexp_extract(lf_trim(s), '^${DAY}(?:${CLOCK})?)?)?$', ['y', 'm', 'd', 'h', 'i', 's', 'f', 'g', 'zh', 'zm'])`
// DuckDB would take 24:00:00; zones go up to 18 hours.
macro(
  'lf_clock(t)',
  `CASE WHEN lpad(t.h, 2, '0') < '24' AND (t.g = '' OR abs(lf_zone(t)) <= 1080 AND lf_or(t.zm, '0')::INTEGER < 60)
    THEN TRY_CAST(t.y || '-' || lf_or(t.m, '1') || '-' || lf_or(t.d, '1') || ' ' || lpad(t.h, 2, '0') || ':' ||
      lpad(t.i, 2, '0') || ':' || lpad(t.s, 2, '0') || '.' || rpad(left(t.f, 6), 6, '0') AS TIMESTAMP) END`,
)
macro(
  'lf_zone(t)',
  `CASE WHEN t.g = '' THEN 0 ELSE (CASE WHEN t.g = '-' THEN -1 ELSE 1 END) * (t.zh::INTEGER * 60 + lf_or(t.zm, '0')::INTEGER) END`,
)
const MALFORMED = `regexp_matches(lf_trim(s), '^[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([ T][0-9:.]*)?$')`
const TIME_ONLY = `regexp_matches(lf_trim(s), '^T?[0-9]{1,2}:')`
for (const [type, read] of [
  ['timestamp', 'lf_instant(lf_clock(t) - to_minutes(lf_zone(t)))'],
  ['timestamp_ntz', 'lf_clock(t)'],
] as const)
  reader(
    `lf_str_${type}`,
    `[0-9]{4}-[0-9]{2}-[0-9]{2}[ T]([01][0-9]|2[0-3]):[0-9]{2}:[0-9]{2}(\\.[0-9]{1,6})?`,
    (bad) =>
      `coalesce(${type === 'timestamp' ? 'lf_instant(TRY_CAST(s AS TIMESTAMP))' : 'TRY_CAST(s AS TIMESTAMP)'}, ${bad})`,
    (bad) => `CASE WHEN t.y <> '' THEN coalesce(${read}, ${bad}) WHEN ${MALFORMED} THEN ${bad}
      WHEN ${UNUSUAL} OR ${TIME_ONLY} THEN ${UNSUPPORTED} ELSE ${bad} END`,
    PARTS,
  )

// ---- other types to text ----

// Beyond these years Spark writes signs.
for (const [name, type] of [
  ['date', 'DATE'],
  ['timestamp', 'TIMESTAMP'],
])
  macro(
    `lf_text_${name}(t)`,
    `CASE WHEN t >= ${type} '0001-01-01' AND t < ${type} '10000-01-01' THEN CAST(t AS VARCHAR) WHEN t IS NULL THEN NULL ELSE ${UNSUPPORTED} END`,
  )
macro(
  'lf_text_binary(x)',
  `CASE WHEN x IS NULL THEN NULL ELSE coalesce(TRY(decode(x)), ${UNSUPPORTED}) END`,
)

// Beyond these seconds Spark saturates.
macro(
  'lf_epoch(x)',
  `CASE WHEN x BETWEEN -9223372036854 AND 9223372036854 THEN make_timestamptz(x * 1000000) WHEN x IS NULL THEN NULL ELSE ${UNSUPPORTED} END`,
)

// ---- numbers ----

macro(
  'lf_wide_trunc(x)',
  `CASE WHEN trunc(x) = trunc(CAST(CAST(x AS VARCHAR) AS DOUBLE)) OR abs(x) > 9007199254740992 THEN trunc(x) WHEN x IS NULL THEN NULL ELSE ${UNSUPPORTED} END`,
)

// Spark cuts towards zero; DuckDB's own cast rounds. 2^63 itself becomes the greatest bigint.
for (const [name, type, limit] of [
  ['tinyint', 'TINYINT', '128'],
  ['smallint', 'SMALLINT', '32768'],
  ['int', 'INTEGER', '2147483648'],
  ['bigint', 'BIGINT', '9223372036854775808'],
] as const) {
  const top = name === 'bigint' ? `WHEN x = ${limit}::DOUBLE THEN 9223372036854775807` : ''
  for (const [suffix, bad] of [
    ['', OVERFLOW],
    ['_try', 'NULL'],
  ])
    macro(
      `lf_float_${name}${suffix}(x)`,
      `CASE WHEN x IS NULL THEN NULL ${top}
        ELSE coalesce(TRY_CAST(trunc(x) AS ${type}), ${bad}) END`,
    )
}
// Beyond the greatest float Spark gives infinity.
macro(
  'lf_double_float(x)',
  `CASE WHEN isfinite(x) AND abs(x) >= 3.4028235677973366e38::DOUBLE
    THEN CASE WHEN x < 0 THEN '-inf'::FLOAT ELSE 'inf'::FLOAT END ELSE CAST(x AS FLOAT) END`,
)
// NULL divided by 0 is NULL.
macro(
  'lf_divisor(a, b)',
  `CASE WHEN b = 0 AND a IS NOT NULL THEN ${raise('DIVIDE_BY_ZERO')} ELSE b END`,
)
// Half away from zero, of integers: how Spark rounds decimals.
macro(
  'lf_div_half_up(a, b)',
  'a // b + CASE WHEN abs(a % b) >= abs(b) - abs(a % b) THEN CASE WHEN (a < 0) = (b < 0) THEN 1 ELSE -1 END ELSE 0 END',
)
// a * ten / b, rounded: in 64 bits where the remainder's digits fit there, since DuckDB divides 128 bits bit by bit.
macro(
  'lf_div_shifted(a, b, ten)',
  `list_transform([{'a': a::HUGEINT, 'b': b::HUGEINT}], lambda t:
    CASE WHEN abs(t.a) < 9000000000000000000 AND abs(t.b) < 9000000000000000000 // ten
      THEN (t.a::BIGINT // t.b::BIGINT)::HUGEINT * ten + lf_div_half_up((t.a::BIGINT % t.b::BIGINT) * ten::BIGINT, t.b::BIGINT)
      ELSE lf_div_half_up(t.a * ten, t.b) END)[1]`,
)
// Digits with a decimal point before the last s of them; one is 10^s.
macro(
  'lf_point(x, s, one)',
  "CASE WHEN x < 0 THEN '-' ELSE '' END || CAST(abs(x) // one AS VARCHAR) || '.' || lpad(CAST(abs(x) % one AS VARCHAR), s, '0')",
)
macro(
  'lf_38_digits(x)',
  `CASE WHEN length(translate(CAST(x AS VARCHAR), '-.', '')) > 38 THEN ${raise('ARITHMETIC_OVERFLOW')} ELSE x END`,
)
macro('lf_pmod(a, b)', 'CASE WHEN a % b < 0 THEN ((a % b) + b) % b ELSE a % b END')
// A pattern that is known only now: \\ stands before _, % and itself alone, and characters beyond U+FFFF never match in Spark.
macro(
  'lf_like(s, p)',
  `CASE WHEN s IS NULL OR p IS NULL THEN NULL
    WHEN regexp_matches(p, '[\\x{10000}-\\x{10ffff}]') THEN ${UNSUPPORTED}
    WHEN regexp_matches(regexp_replace(p, '\\\\[_%\\\\]', '', 'g'), '\\\\') THEN ${raise('INVALID_FORMAT')}
    ELSE s LIKE p ESCAPE '\\' END`,
)
macro('lf_seconds(t)', 'lf_floor_div(epoch_us(t), 1000000)')

export const MACROS = { macro }

/**
 * Statements that each DuckDB connection runs before compiled SQL, in this order. They make nothing but temporary macros
 * and set the zone.
 */
export const PRELUDE: string[] = macros
macros.unshift("SET TimeZone = 'UTC'", 'SET scalar_subquery_error_on_multiple_rows = true')

// The macros that compiled SQL calls. A DuckDB connection runs PRELUDE once; then it evaluates as Spark does in ANSI mode:
// what Spark refuses at run time ends in error('LAKEFORGE:<class>'), with Spark's own name of the error.
// LAKEFORGE:UNSUPPORTED_VALUE is ours: Spark has an answer for the value, and we'd rather stop than guess it.
import { literalDuckdb } from '#core/names.ts'

/** `error(…)` with Spark's error class; it takes the type of its neighbours in a CASE. */
export const raise = (errorClass: string): string => `error('LAKEFORGE:${errorClass}')`

const INVALID = raise('CAST_INVALID_INPUT')
const OVERFLOW = raise('CAST_OVERFLOW')
const UNSUPPORTED = raise('UNSUPPORTED_VALUE')
const DATETIME = raise('CANNOT_PARSE_TIMESTAMP')

/** What Spark trims before it reads a number or a date: all up to the space, and DEL. (NUL can't stand in a statement.) */
const CONTROL = literalDuckdb(
  Array.from({ length: 32 }, (_, index) => String.fromCharCode(index + 1)).join('') + '\u007f',
)

const macros: string[] = []
const macro = (signature: string, body: string) => {
  const flat = body.replace(/\s*\n\s*/g, ' ').trim()
  macros.push(`CREATE OR REPLACE TEMP MACRO ${signature} AS (${flat})`)
}
/** A conversion of text in two forms: `name(s)` raises, `name_try(s)` gives NULL. `body` says what to do with bad input. */
const reader = (name: string, body: (bad: string) => string) => {
  macro(`${name}(s)`, body(INVALID))
  macro(`${name}_try(s)`, body('NULL'))
}

macro('lf_trim(s)', `trim(s, ${CONTROL})`)
// TIMESTAMP is an instant and the session's zone is UTC: its clock reading, and back, without a look at the zone's rules.
macro('lf_naive(t)', 'make_timestamp(epoch_us(t))')
macro('lf_instant(t)', 'make_timestamptz(epoch_us(t))')
macro(
  'lf_floor_div(a, b)',
  'a // b - CASE WHEN a % b <> 0 AND (a < 0) <> (b < 0) THEN 1 ELSE 0 END',
)

// ---- text to other types ----

for (const [name, type] of [
  ['tinyint', 'TINYINT'],
  ['smallint', 'SMALLINT'],
  ['int', 'INTEGER'],
  ['bigint', 'BIGINT'],
] as const)
  reader(
    `lf_str_${name}`,
    (bad) => `CASE WHEN s IS NULL THEN NULL
      WHEN regexp_full_match(lf_trim(s), '[+-]?[0-9]+') THEN coalesce(TRY_CAST(ltrim(lf_trim(s), '+') AS ${type}), ${bad})
      ELSE ${bad} END`,
  )

// Java also reads hexadecimal floats; nobody means them.
reader(
  'lf_str_double',
  (bad) => `CASE WHEN s IS NULL THEN NULL
    WHEN regexp_full_match(lf_trim(s), '[+-]?([0-9]+\\.?[0-9]*|\\.[0-9]+)([eE][+-]?[0-9]+)?[dDfF]?')
      THEN lf_parse_double(rtrim(ltrim(lf_trim(s), '+'), 'dDfF'))
    WHEN regexp_full_match(lf_trim(s), '(?i)[+-]?(inf|infinity)')
      THEN CASE WHEN lf_trim(s)[1] = '-' THEN CAST('-inf' AS DOUBLE) ELSE CAST('inf' AS DOUBLE) END
    WHEN regexp_full_match(lf_trim(s), '(?i)[+-]?nan') THEN
      CASE WHEN lower(lf_trim(s)) = 'nan' OR lf_trim(s)[2:] = 'NaN' THEN CAST('nan' AS DOUBLE) ELSE ${bad} END
    WHEN regexp_full_match(lf_trim(s), '[+-]?0[xX].*') THEN ${UNSUPPORTED}
    ELSE ${bad} END`,
)
reader(
  'lf_str_float',
  (bad) => `CASE WHEN s IS NULL THEN NULL
    WHEN regexp_full_match(lf_trim(s), '[+-]?([0-9]+\\.?[0-9]*|\\.[0-9]+)([eE][+-]?[0-9]+)?[dDfF]?')
      THEN lf_parse_float(rtrim(ltrim(lf_trim(s), '+'), 'dDfF'))
    WHEN regexp_full_match(lf_trim(s), '(?i)[+-]?(inf|infinity)')
      THEN CASE WHEN lf_trim(s)[1] = '-' THEN CAST('-inf' AS FLOAT) ELSE CAST('inf' AS FLOAT) END
    WHEN regexp_full_match(lf_trim(s), '(?i)[+-]?nan') THEN
      CASE WHEN lower(lf_trim(s)) = 'nan' OR lf_trim(s)[2:] = 'NaN' THEN CAST('nan' AS FLOAT) ELSE ${bad} END
    WHEN regexp_full_match(lf_trim(s), '[+-]?0[xX].*') THEN ${UNSUPPORTED}
    ELSE ${bad} END`,
)
macro('lf_parse_double(s)', 'CAST(s AS DOUBLE)')
macro('lf_parse_float(s)', 'CAST(s AS FLOAT)')
macro(
  'lf_is_decimal(s)',
  "regexp_full_match(lf_trim(s), '[+-]?([0-9]+\\.?[0-9]*|\\.[0-9]+)([eE][+-]?[0-9]{1,4})?')",
)

reader(
  'lf_str_boolean',
  (bad) => `CASE WHEN s IS NULL THEN NULL
    WHEN lower(lf_trim(s)) IN ('t', 'true', 'y', 'yes', '1') THEN true
    WHEN lower(lf_trim(s)) IN ('f', 'false', 'n', 'no', '0') THEN false
    ELSE ${bad} END`,
)

// Years of 4 digits without a sign; Spark reads others too.
reader(
  'lf_str_date',
  (bad) => `CASE WHEN s IS NULL THEN NULL
    WHEN regexp_full_match(lf_trim(s), '[0-9]{4}-[0-9]{2}-[0-9]{2}') THEN coalesce(TRY_CAST(lf_trim(s) AS DATE), ${bad})
    WHEN regexp_full_match(lf_trim(s), '(?s)[0-9]{4}(-[0-9]{1,2}(-[0-9]{1,2}([ T].*)?)?)?')
      THEN coalesce(TRY_CAST(lf_date_text(lf_trim(s)) AS DATE), ${bad})
    WHEN regexp_full_match(lf_trim(s), '(?s)[+-]?[0-9]{4,7}(-[0-9]{1,2}(-[0-9]{1,2}([ T].*)?)?)?') THEN ${UNSUPPORTED}
    ELSE ${bad} END`,
)
macro('lf_or(s, other)', "CASE WHEN s = '' THEN other ELSE s END")
macro(
  'lf_date_text(s)',
  `left(s, 4) || '-' || lf_or(regexp_extract(s, '^[0-9]{4}-([0-9]{1,2})', 1), '1') ||
    '-' || lf_or(regexp_extract(s, '^[0-9]{4}-[0-9]{1,2}-([0-9]{1,2})', 1), '1')`,
)

// Only after the seconds there can be a zone.
const ZONE = ' *(Z|UTC|GMT|(UTC|GMT|UT)?[+-][0-9]{1,2}(:[0-9]{1,2})?)'
const CLOCK = `( |[ T][0-9]{1,2}(:[0-9]{1,2}(:[0-9]{1,2}(\\\\.[0-9]{0,9})?(${ZONE})?)?)?)`
// The clock's reading and, apart, the minutes that its zone is ahead of UTC.
macro(
  'lf_clock_text(s)',
  `lf_date_text(s) || ' ' ||
    lpad(lf_or(regexp_extract(s, '[ T]([0-9]{1,2})', 1), '0'), 2, '0') || ':' ||
    lpad(lf_or(regexp_extract(s, '[ T][0-9]{1,2}:([0-9]{1,2})', 1), '0'), 2, '0') || ':' ||
    lpad(lf_or(regexp_extract(s, '[ T][0-9]{1,2}:[0-9]{1,2}:([0-9]{1,2})', 1), '0'), 2, '0') || '.' ||
    rpad(left(regexp_extract(s, '\\.([0-9]*)', 1), 6), 6, '0')`,
)
macro(
  'lf_zone_minutes(s)',
  `CASE WHEN regexp_matches(s, '[ T][0-9].*[+-]') THEN
    (CASE WHEN regexp_extract(s, '[ T].*([+-])', 1) = '-' THEN -1 ELSE 1 END) *
    (CAST(regexp_extract(s, '[ T].*[+-]([0-9]{1,2})', 1) AS INTEGER) * 60 +
      CAST(lf_or(regexp_extract(s, '[ T].*[+-][0-9]{1,2}:([0-9]{1,2})', 1), '0') AS INTEGER))
    ELSE 0 END`,
)
reader(
  'lf_str_timestamp',
  (bad) => `CASE WHEN s IS NULL THEN NULL
    WHEN regexp_full_match(lf_trim(s), '[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}:[0-9]{2}(\\.[0-9]{1,6})?Z?')
      THEN lf_instant(coalesce(TRY_CAST(rtrim(lf_trim(s), 'Z') AS TIMESTAMP), ${bad}))
    WHEN regexp_full_match(lf_trim(s), '[0-9]{4}(-[0-9]{1,2}(-[0-9]{1,2}${CLOCK}?)?)?')
      THEN CASE WHEN abs(lf_zone_minutes(lf_trim(s))) <= 1080
        THEN lf_instant(coalesce(TRY_CAST(lf_clock_text(lf_trim(s)) AS TIMESTAMP), ${bad}) - to_minutes(lf_zone_minutes(lf_trim(s))))
        ELSE ${bad} END
    WHEN regexp_matches(lf_trim(s), '^[+-]?[0-9]{4,7}(-[0-9]|$)') OR regexp_matches(lf_trim(s), '^T?[0-9]{1,2}:')
      THEN CASE WHEN regexp_full_match(lf_trim(s), '[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([ T][0-9:.]*)?') THEN ${bad} ELSE ${UNSUPPORTED} END
    ELSE ${bad} END`,
)
reader(
  'lf_str_timestamp_ntz',
  (bad) => `CASE WHEN s IS NULL THEN NULL
    WHEN regexp_full_match(lf_trim(s), '[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}:[0-9]{2}(\\.[0-9]{1,6})?')
      THEN coalesce(TRY_CAST(lf_trim(s) AS TIMESTAMP), ${bad})
    WHEN regexp_full_match(lf_trim(s), '[0-9]{4}(-[0-9]{1,2}(-[0-9]{1,2}${CLOCK}?)?)?')
      THEN coalesce(TRY_CAST(lf_clock_text(lf_trim(s)) AS TIMESTAMP), ${bad})
    WHEN regexp_matches(lf_trim(s), '^[+-]?[0-9]{4,7}(-[0-9]|$)') OR regexp_matches(lf_trim(s), '^T?[0-9]{1,2}:')
      THEN CASE WHEN regexp_full_match(lf_trim(s), '[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([ T][0-9:.]*)?') THEN ${bad} ELSE ${UNSUPPORTED} END
    ELSE ${bad} END`,
)

// ---- numbers ----

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
macro('lf_zero(x)', `CASE WHEN x = 0 THEN ${raise('DIVIDE_BY_ZERO')} ELSE x END`)
// Half away from zero, of integers: how Spark rounds decimals. The text of both is small, the numbers up to 38 digits.
macro(
  'lf_div_half_up(a, b)',
  `a // b + CASE WHEN abs(a % b) >= abs(b) - abs(a % b) THEN CASE WHEN (a < 0) = (b < 0) THEN 1 ELSE -1 END ELSE 0 END`,
)
// Digits with a decimal point before the last s of them; one is 10^s.
macro(
  'lf_point(x, s, one)',
  "CASE WHEN x < 0 THEN '-' ELSE '' END || CAST(abs(x) // one AS VARCHAR) || '.' || lpad(CAST(abs(x) % one AS VARCHAR), s, '0')",
)
macro('lf_pmod(a, b)', '(((a % b) + b) % b)')
macro('lf_seconds(t)', 'lf_floor_div(epoch_us(t), 1000000)')

export const MACROS = { macro, reader, UNSUPPORTED, OVERFLOW, INVALID, DATETIME }

/**
 * Statements that each DuckDB connection runs before compiled SQL, in this order. They make nothing but temporary macros
 * and set the zone.
 */
export const PRELUDE: string[] = macros
macros.unshift("SET TimeZone = 'UTC'", 'SET scalar_subquery_error_on_multiple_rows = true')

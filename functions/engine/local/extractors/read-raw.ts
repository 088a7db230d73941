// Raw → rows: one DuckDB select over the raw files of some manifests. Every pinned column comes with its pinned type; what
// doesn't fit goes to `_rescued_data`, or stops the read, as `bad_rows` says. One pass, no second try: CSV is read as text and
// cast with a check, because DuckDB's typed read takes '1.5' for the integer 2 without a word.
// Measured on 1 million rows, 124 MB, seconds of CPU into ZSTD Parquet: typed 1.4, text with checked casts 1.75.
import { literalDuckdb, quoteDuckdb } from '#core/names.ts'
import type { PlanColumn } from '#core/plan.ts'
import { duckdbType, parseType, type SparkType } from '#core/types.ts'
import { sourceNames, type CsvOptions } from './csv-head.ts'
import { BYTE_MARK } from './recode.ts'
import { jsonReadOptions, type JsonOptions, type RawShape, type ShapeGroup } from './raw-shape.ts'
import { castTextSql, jsonShape, lossSql } from './text-types.ts'

export {
  closeShape,
  compareColumns,
  inspectRaw,
  type ColumnDifference,
  type RawShape,
} from './raw-shape.ts'
export { rawError } from './raw-error.ts'

/** Values beyond the header's columns that a ragged row may have. */
const RAGGED = 64
/** Columns from which on memory for each of them counts more than speed. */
const WIDE = 500
/** The lower bits of `_row_id` are the position in a group of files (Parquet: in a file), the upper ones count those. */
const ROW_BITS = 40n

/**
 * A select of the rows that the reader numbered, as `read`, from what stands after FROM; for formats whose `_row_id` counts
 * within a group. Counting them in the source would parse it once more (a third of the reading's time).
 */
export function rowsReadSql(rows: string): string {
  return `select coalesce(sum(last), 0) as read from (
    select max(_row_id & ${(1n << ROW_BITS) - 1n}) as last from ${rows} group by _row_id >> ${ROW_BITS})`
}

/**
 * A select of the pinned columns in their order, then `_source_file`, `_row_id` and `_rescued_data`. With `bad_rows: 'fail'`
 * a value that doesn't fit raises an error that `rawError` translates. No files: a select without rows. `others: false` leaves
 * the columns of text files that aren't pinned out of what is rescued: naming thousands of them takes a planner seconds.
 */
export function rawScanSql(
  shape: RawShape,
  pinned: readonly PlanColumn[],
  { others = true }: { others?: boolean } = {},
): string {
  const columns = pinned.map((column) => ({ ...column, parsed: parseType(column.type) }))
  let units = 0
  const scans = shape.groups.map((group) => {
    const first = (BigInt(units) << ROW_BITS).toString()
    units += shape.format === 'parquet' ? group.files.length : 1
    if (shape.format === 'parquet') return parquetScan(group, columns, first)
    if (shape.format === 'csv' || shape.format === 'tsv')
      return csvScan(group, columns, shape.options as CsvOptions, first, others)
    return jsonScan({ ...shape, groups: [group] }, columns, first)
  })
  if (scans.length === 0) {
    const empty = columns.map(
      (column) => `NULL::${duckdbType(column.parsed)} AS ${quoteDuckdb(column.name)}`,
    )
    return `SELECT ${[...empty, 'NULL::VARCHAR AS _source_file', 'NULL::BIGINT AS _row_id', 'NULL::VARCHAR AS _rescued_data'].join(', ')} WHERE false`
  }
  return scans.join('\nUNION ALL\n')
}

/** Text columns `c0`, `c1` … of some source columns, of the first rows of each group: what compareColumns samples. */
export function sampleScanSql(
  shape: RawShape,
): (columns: readonly string[], rows: number) => string {
  return (columns, rows) =>
    shape.groups
      .map((group) => {
        const one = { ...shape, groups: [group] }
        const pinned = columns.map((source_name, index) => ({
          name: `c${index}`,
          source_name,
          type: 'string',
          nullable: true,
        }))
        const tolerant = { ...one, options: { ...one.options, bad_rows: 'rescue' } } as RawShape
        const names = pinned.map(({ name }) => name).join(', ')
        return `(SELECT ${names} FROM (${rawScanSql(tolerant, pinned, { others: false })}) LIMIT ${rows})`
      })
      .join(' UNION ALL ')
}

type Typed = PlanColumn & { parsed: SparkType }

/** One pinned column on its way: what the reader gives, its value, whether something is lost, and the text to rescue. */
type Reading = {
  column: Typed
  /** Null: the files have no such column. */
  source: {
    raw: string
    value: string
    /** Stops a strict read. */
    loss: string
    /** Only rescues: there is more in it than the pinned type has room for. */
    more?: string
    /** The JSON text of what the reader gave. */
    rescue: string
  } | null
}

function csvScan(
  group: ShapeGroup,
  columns: readonly Typed[],
  options: CsvOptions,
  first: string,
  others: boolean,
): string {
  const tolerant = options.bad_rows === 'rescue'
  const at = new Map(group.columns.map(({ source_name }, index) => [source_name, index]))
  const readings = columns.map((column, index): Reading => {
    const position = at.get(column.source_name ?? column.name)
    if (position === undefined) return { column, source: null }
    const raw = `r${index}`
    const wide = columns.length > WIDE
    const isText = column.parsed.kind === 'string' || column.parsed.kind === 'binary'
    // A text with bytes that its encoding doesn't have is kept with U+FFFD in their place.
    const value = castTextSql(column.parsed, group.marked && isText ? replaced(raw) : raw)
    const loss = lossSql(column.parsed, raw, wide ? value : `v${index}`, wide)
    return {
      column,
      source: {
        raw: `c${position}`,
        value,
        loss: group.marked && isText ? `coalesce(contains(${raw}, ${MARK}), false)` : loss,
        rescue: `to_json(${group.marked ? shown(raw) : raw})`,
      },
    }
  })
  const wanted = new Set(columns.map((column) => column.source_name ?? column.name))
  const extras = group.columns
    .map(({ source_name }, index) => ({
      source_name,
      sql: group.marked ? shown(`c${index}`) : `c${index}`,
    }))
    .filter(({ source_name }) => !wanted.has(source_name))
  const ragged = tolerant
    ? Array.from({ length: RAGGED }, (_, index) => ({
        source_name: sourceNames(Array(group.columns.length + index + 1).fill(''), false).at(-1)!,
        sql: `x${index}`,
      }))
    : []
  const read = [
    ...group.columns.map((_, index) => `c${index}`),
    ...ragged.map(({ sql }) => sql),
  ].map((name) => `${name}: 'VARCHAR'`)
  const settings = [
    `columns = {${read.join(', ')}}`,
    'auto_detect = false',
    `header = ${options.header}`,
    `skip = ${options.skip_rows}`,
    `delim = ${literalDuckdb(options.delimiter)}`,
    `quote = ${literalDuckdb(options.quote ?? '')}`,
    `escape = ${literalDuckdb(options.quote === null ? '' : (options.escape ?? ''))}`,
    `encoding = '${options.encoding}'`,
    `compression = '${group.compression === 'plain' ? 'none' : group.compression}'`,
    `nullstr = [${options.null_values.map(literalDuckdb).join(', ')}]`,
    'allow_quoted_nulls = false',
    'hive_partitioning = false',
    // Padding and line breaks inside of quotes can't be read by several threads; row_number() reads by one anyway.
    ...(tolerant ? ['null_padding = true', 'strict_mode = false', 'parallel = false'] : []),
  ]
  const scan = `read_csv(${fileList(group)}, ${settings.join(', ')}${named(group)})`
  const ids = `${first}::BIGINT + row_number() OVER () AS rn`
  // The first extra value tells whether there are any at all.
  const spare = ragged.map(({ source_name, sql }) => ({
    source_name,
    sql: group.marked ? shown(sql) : sql,
  }))
  const overflow = others ? [...extras, ...spare] : []
  return assemble(group, readings, overflow, scan, ids, !tolerant)
}

const MARK = literalDuckdb(BYTE_MARK)

function replaced(text: string): string {
  return `regexp_replace(${text}, ${literalDuckdb(`${BYTE_MARK}[0-9A-F]{2}`)}, '\uFFFD', 'g')`
}

/** The bytes as `\xE9`. */
function shown(text: string): string {
  return `replace(${text}, ${MARK}, '\\x')`
}

function parquetScan(group: ShapeGroup, columns: readonly Typed[], first: string): string {
  const types = new Map(group.columns.map(({ source_name, type }) => [source_name, type]))
  const readings = columns.map((column, index): Reading => {
    const name = column.source_name ?? column.name
    const type = types.get(name)
    if (type === undefined) return { column, source: null }
    const same = type === column.type
    const target = duckdbType(column.parsed)
    // What a database's type has no place for in Parquet comes as text.
    if (type === 'string' && !same)
      return {
        column,
        source: {
          raw: quoteDuckdb(name),
          value: castTextSql(column.parsed, `r${index}`),
          loss: lossSql(column.parsed, `r${index}`, `v${index}`),
          rescue: `to_json(r${index})`,
        },
      }
    return {
      column,
      source: {
        raw: quoteDuckdb(name),
        // json, uuid, time and the like are read as their text.
        value: same ? `r${index}::${target}` : `try_cast(r${index} AS ${target})`,
        loss: same ? 'false' : parquetLoss(column.parsed, `r${index}`, `v${index}`),
        rescue: `to_json(r${index})`,
      },
    }
  })
  const wanted = new Set(columns.map((column) => column.source_name ?? column.name))
  const extras = group.columns
    .filter(({ source_name }) => !wanted.has(source_name))
    .map(({ source_name }) => ({ source_name, sql: quoteDuckdb(source_name) }))
  const scan = `read_parquet(${fileList(group)}, file_row_number = true, hive_partitioning = false${named(group)})`
  const ids =
    group.files.length === 1
      ? `${first}::BIGINT + file_row_number + 1 AS rn`
      : `${first}::BIGINT + (file_index::BIGINT << ${ROW_BITS}) + file_row_number + 1 AS rn`
  return assemble(group, readings, extras, scan, ids, false)
}

/** A number that came through a cast must still be the same number. */
function parquetLoss(type: SparkType, raw: string, value: string): string {
  const missing = `(${raw} IS NOT NULL AND ${value} IS NULL)`
  const numeric = ['tinyint', 'smallint', 'int', 'bigint', 'decimal', 'date'].includes(type.kind)
  return numeric ? `(${missing} OR NOT coalesce(TRY(${value} = ${raw}), true))` : missing
}

function jsonScan(shape: RawShape, columns: readonly Typed[], first: string): string {
  const group = shape.groups[0]!
  const fail = (shape.options as JsonOptions).bad_rows === 'fail'
  const types = new Map(group.columns.map(({ source_name, type }) => [source_name, type]))
  const wanted = columns.map((column) => column.source_name ?? column.name)
  const lower = new Set(wanted.map((name) => name.toLowerCase()))
  const known = new Set(wanted)
  const plain =
    !group.mixed &&
    lower.size === wanted.length &&
    group.columns.every(({ source_name }) => known.has(source_name))
  const ids = `${first}::BIGINT + row_number() OVER () AS rn`
  const options = jsonReadOptions(shape)
  if (plain) {
    // Every field of every record is pinned: DuckDB's reader takes them straight.
    const read: string[] = []
    const readings = columns.map((column, index): Reading => {
      const name = column.source_name ?? column.name
      const observed = types.get(name)
      if (observed === undefined || observed === null) return { column, source: null }
      const direct = readsDirectly(parseType(observed), column.parsed)
      const nested = isNested(column.parsed)
      read.push(
        `${literalDuckdb(name)}: ${literalDuckdb(direct ? duckdbType(column.parsed) : nested ? 'JSON' : 'VARCHAR')}`,
      )
      return { column, source: jsonReading(column, quoteDuckdb(name), index, direct) }
    })
    if (read.length === 0) read.push(`'__nothing': 'VARCHAR'`)
    const scan = `read_json(${fileList(group)}, ${options}, columns = {${read.join(', ')}}${named(group)})`
    return assemble(group, readings, [], scan, ids, fail)
  }
  // Whole records, taken apart by JSON pointers: any name, any fields, nothing lost.
  const readings = columns.map((column, index): Reading => {
    const list = isNested(column.parsed) ? 'nested' : 'texts'
    return { column, source: jsonReading(column, `${list}[${index + 1}]`, index, false) }
  })
  const pointers = `[${wanted.map((name) => literalDuckdb(pointer(name))).join(', ')}]::VARCHAR[]`
  const others = `list_transform(list_filter(json_keys(json), lambda k: NOT list_contains([${wanted.map(literalDuckdb).join(', ')}]::VARCHAR[], k)), lambda k: concat(to_json(k), ':', json_extract(json, concat('/', replace(replace(k, '~', '~0'), '/', '~1')))))`
  const scan = `(SELECT json_extract_string(json, ${pointers}) AS texts, json_extract(json, ${pointers}) AS nested,
    CASE WHEN json_type(json) = 'OBJECT' THEN array_to_string(${others}, ',') ELSE concat('"_record":', json) END AS others${group.files.length > 1 ? ', filename' : ''}
    FROM read_json(${fileList(group)}, ${options}, columns = {json: 'JSON'}, records = false${named(group)}))`
  return assemble(group, readings, [], scan, ids, fail, `nullif(others, '')`)
}

function jsonReading(
  column: Typed,
  raw: string,
  index: number,
  direct: boolean,
): Reading['source'] {
  const text = `r${index}`
  if (direct) return { raw, value: text, loss: 'false', rescue: text }
  if (isNested(column.parsed)) {
    const form = jsonShape(column.parsed)
    return {
      raw,
      // What fits is kept even where something doesn't; then the whole original is rescued as well.
      value: `CASE WHEN json_type(${text}) <> 'NULL' THEN json_transform(${text}, ${form}) END::${duckdbType(column.parsed)}`,
      loss: `(${text} IS NOT NULL AND json_type(${text}) <> 'NULL' AND TRY(json_transform_strict(${text}, ${form})) IS NULL)`,
      more: `NOT coalesce(json_contains(to_json(v${index}), ${text}), true)`,
      rescue: text,
    }
  }
  return {
    raw,
    value: castTextSql(column.parsed, text),
    loss: lossSql(column.parsed, text, `v${index}`),
    rescue: `to_json(${text})`,
  }
}

/** Whether DuckDB's JSON reader gives the pinned type without a cast that could lose something. */
function readsDirectly(observed: SparkType, pinned: SparkType): boolean {
  if (pinned.kind === 'string') return true
  if (pinned.kind === 'array')
    return observed.kind === 'array' && readsDirectly(observed.element, pinned.element)
  if (pinned.kind === 'struct')
    return (
      observed.kind === 'struct' &&
      observed.fields.every((field) => {
        const to = pinned.fields.find((other) => other.name === field.name)
        return to !== undefined && readsDirectly(field.type, to.type)
      })
    )
  if (pinned.kind === 'double') return observed.kind === 'double' || observed.kind === 'bigint'
  return pinned.kind === observed.kind && ['boolean', 'bigint'].includes(pinned.kind)
}

function isNested(type: SparkType): boolean {
  return type.kind === 'array' || type.kind === 'map' || type.kind === 'struct'
}

/**
 * Read → cast → check → rows: levels, so that nothing is computed twice. What is rescued is gathered in lists, which take
 * memory for bad rows only: an expression a column would take 100 KB a column (5,000 columns ran out of 1 GiB).
 */
function assemble(
  group: ShapeGroup,
  readings: readonly Reading[],
  extras: readonly { source_name: string; sql: string }[],
  scan: string,
  ids: string,
  fail: boolean,
  others?: string,
): string {
  const many = group.files.length > 1
  const inner = [
    ...readings.flatMap(({ source }, index) => (source ? [`${source.raw} AS r${index}`] : [])),
    ...extras.map(({ sql }, index) => `${sql} AS e${index}`),
    ...(others ? [`${others} AS others`] : []),
    ...(many ? ['filename AS file'] : []),
    ids,
  ]
  const values: string[] = []
  const checks: string[] = []
  /** What may go to `_rescued_data`: when, under which name, as which JSON text. */
  const parts: { flag: string; name: string; json: string }[] = []
  const complaints: string[] = []
  readings.forEach(({ column, source }, index) => {
    if (!source) return
    const name = column.source_name ?? column.name
    if (source.value !== `r${index}`) values.push(`${source.value} AS v${index}`)
    if (source.loss === 'false' && source.more === undefined) return
    const more = source.more === undefined ? '' : ` OR ${source.more}`
    checks.push(`(${source.loss}${fail ? '' : more}) AS l${index}`)
    parts.push({ flag: `l${index}`, name, json: source.rescue })
    if (!fail) return
    const text = `raw value: column "${name}" is not a ${column.type}`
    complaints.push(`WHEN l${index} THEN ${literalDuckdb(text)}`)
    if (more === '') return
    checks.push(`(${source.more}) AS m${index}`)
    parts.push({ flag: `m${index}`, name, json: source.rescue })
  })
  extras.forEach(({ source_name }, index) =>
    parts.push({ flag: `e${index} IS NOT NULL`, name: source_name, json: `to_json(e${index})` }),
  )

  const file = many ? 's.source_path' : literalDuckdb(group.files[0]!.source_path)
  const flags = parts.map(({ flag }) => flag)
  const keys = parts.map(({ name }) => literalDuckdb(`${JSON.stringify(name)}:`))
  const texts = parts.map(({ json }) => `${json}::VARCHAR`)
  const members = parts.length
    ? `nullif(array_to_string(list_transform(list_filter(range(1, ${parts.length + 1}), lambda i: ([${flags.join(', ')}])[i]), lambda i: concat(([${keys.join(', ')}])[i], ([${texts.join(', ')}])[i])), ','), '')`
    : ''
  const any = [...flags, ...(others ? ['others IS NOT NULL'] : [])]
  const text = `concat('{', concat_ws(',', ${[members, others ? 'others' : ''].filter(Boolean).join(', ')}), '}')`
  const stopping = parts.flatMap(({ flag }) => (flag.startsWith('l') ? [flag] : []))
  const when = [
    ...(complaints.length > 0
      ? [
          `WHEN ${anyOf(stopping)} THEN error(concat(CASE ${complaints.join(' ')} END, ', record ', rn % ${1n << ROW_BITS}, ' of ', ${file}))`,
        ]
      : []),
    // Where everything that could be rescued stops the read, nothing is left to rescue.
    ...(any.length > (fail ? stopping.length : 0) ? [`WHEN ${anyOf(any)} THEN ${text}`] : []),
  ]
  const rescued = when.length > 0 ? `CASE ${when.join(' ')} END::VARCHAR` : 'NULL::VARCHAR'
  const rows = readings.map(({ column, source }, index) => {
    // A value that is what was read needs no column of its own: each takes 32 KB a level and thread.
    const own = source && source.value === `r${index}` ? `r${index}` : `v${index}`
    const value = source ? own : `NULL::${duckdbType(column.parsed)}`
    const finite = source && ['date', 'timestamp', 'timestamp_ntz'].includes(column.parsed.kind)
    // What was rescued has no place in its column: 1.5 is not the integer 2.
    const whole = isNested(column.parsed) || column.parsed.kind === 'string'
    if (source && !fail && source.loss !== 'false' && !whole)
      return `CASE WHEN NOT l${index} THEN ${value} END AS ${quoteDuckdb(column.name)}`
    return `${finite ? `CASE WHEN isfinite(${value}) THEN ${value} END` : value} AS ${quoteDuckdb(column.name)}`
  })
  const sources = many
    ? ` JOIN (VALUES ${group.files.map((f) => `(${literalDuckdb(f.absolute)}, ${literalDuckdb(f.source_path)})`).join(', ')}) s(file, source_path) ON s.file = m.file`
    : ''
  // A level holds all columns once more: with thousands of them, casts and checks share one.
  const levels = readings.length > WIDE ? [[...values, ...checks]] : [values, checks]
  const from = levels
    .filter((level) => level.length > 0)
    .reduce(
      (below, level) => `SELECT ${['*', ...level].join(', ')} FROM (${below})`,
      `SELECT ${inner.join(', ')} FROM ${scan}`,
    )
  return `SELECT ${[...rows, `${file} AS _source_file`, 'rn AS _row_id', `${rescued} AS _rescued_data`].join(', ')}
FROM (${from}) m${sources}`
}

/** True when one of many conditions is; a long chain of OR takes the planner quadratic time. */
function anyOf(conditions: readonly string[]): string {
  return conditions.length > 50
    ? `list_contains([${conditions.join(', ')}], true)`
    : conditions.join(' OR ')
}

function pointer(name: string): string {
  return `/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`
}

function fileList(group: ShapeGroup): string {
  return `[${group.files.map((file) => literalDuckdb(file.absolute)).join(', ')}]`
}

/** Our own folder `seq=3` is no partition of the data. */
function named(group: ShapeGroup): string {
  return `, filename = ${group.files.length > 1}`
}

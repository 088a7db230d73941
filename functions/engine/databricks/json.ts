// JSON as a workspace speaks it: ids are int64 numbers, often beyond what a JavaScript number holds. Here they are strings, in
// and out, so that nothing rounds them.

/** Fields that are int64 on the wire and strings here. Ids of pipelines, warehouses, policies are texts and stay texts. */
const INT64_IDS = new Set([
  'job_id',
  'run_id',
  'parent_run_id',
  'job_run_id',
  'original_attempt_run_id',
  'repair_id',
  'latest_repair_id',
  'object_id',
  'task_run_ids',
  'workspace_id',
  'cluster_snapshot_id',
])

type Source = { source?: string }
const parse = JSON.parse as (
  text: string,
  reviver: (key: string, value: unknown, context: Source) => unknown,
) => unknown
const rawJson = (JSON as unknown as { rawJSON(text: string): unknown }).rawJSON

/**
 * The value of a JSON text. Ids of `INT64_IDS`, and every whole number that a double can't hold, come as decimal strings.
 * @throws SyntaxError
 */
export function parseJson(text: string): unknown {
  return parse(text, (key, value, { source }) => {
    if (typeof value !== 'number' || source === undefined) return value
    const exact = Number.isSafeInteger(value) || !/^-?\d+$/.test(source)
    return exact && !INT64_IDS.has(key) ? value : source
  })
}

/** JSON text; ids of `INT64_IDS` that are decimal strings leave as bare numbers, as does a bigint. `undefined` is left out. */
export function stringifyJson(value: unknown): string {
  return JSON.stringify(value, (key, inner: unknown) => {
    if (typeof inner === 'bigint') return rawJson(inner.toString())
    if (!INT64_IDS.has(key)) return inner
    return Array.isArray(inner) ? inner.map(bare) : bare(inner)
  })
}

function bare(value: unknown): unknown {
  return typeof value === 'string' && /^-?\d{1,19}$/.test(value) ? rawJson(value) : value
}

// The demo: LakeForge's main job on real data. The first run takes three deliveries, each as a batch of its own; the second
// brings a fourth; the third finds nothing new and writes nothing.
import { copyFile, mkdir, readdir, readFile, rename } from 'node:fs/promises'
import { findPackageJSON } from 'node:module'
import { dirname, join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'

/** Calls the API, over HTTP or in this process. */
export type Request = (path: string, init?: RequestInit) => Promise<Response>

export type DemoOptions = {
  request: Request
  /** Folder for the deliveries, kept from run to run. */
  dir: string
  say: (line: string) => void
}

/** Rows that silver.flights holds after each delivery: each repeats the former ones. */
const DELIVERIES = [
  { name: 'flights-2k.json', rows: 2_000 },
  { name: 'flights-5k.json', rows: 5_000 },
  { name: 'flights-10k.json', rows: 10_000 },
  { name: 'flights-20k.json', rows: 20_000 },
] as const
const FIRST_RUN = 3
const FILES = ['flights.yaml', 'history.yaml', 'records.yaml']

type Step = {
  key: string
  zone: string
  table: string
  state: string
  rows_read: number
  rows_written: number
  rows_quarantined: number
  rows_dropped: number
  rows_filtered: number
  rows_deduplicated: number
  delta_version_before: number | null
  delta_version_after: number | null
  error: { message: string; hint: string } | null
}
type Detail = {
  batch: { id: string; state: string; error: { message: string; hint: string } | null }
  steps: Step[]
  rules: {
    name: string
    table: string
    check: string
    on_fail: string
    rows_checked: number
    rows_failed: number
  }[]
}

export type DemoResult = {
  /** Whether every batch succeeded and every table holds what it should. */
  ok: boolean
  batches: Detail[]
  /** Steps that committed a table in this run. */
  tables_written: number
}

/** Runs the demo once more; what came before it is found in `dir` and in the store. */
export async function runDemo({ request, dir, say }: DemoOptions): Promise<DemoResult> {
  const data = join(dirname(findPackageJSON('vega-datasets', import.meta.url)!), 'data')
  const deliveries = join(dir, 'deliveries')
  await mkdir(deliveries, { recursive: true })
  const groups = await applySamples(request, data, deliveries, say)

  const there = new Set(await readdir(deliveries))
  const arrived = DELIVERIES.filter((each) => there.has(each.name)).length
  const until = arrived < FIRST_RUN ? FIRST_RUN : DELIVERIES.length
  const batches: Detail[] = []
  let ok = true
  for (const [index, delivery] of DELIVERIES.entries()) {
    if (index < arrived || index >= until) continue
    // Whole or not at all: a delivery that is half there would be taken as it is, and again when it is whole
    await copyFile(join(data, delivery.name), join(deliveries, `.${delivery.name}`))
    await rename(join(deliveries, `.${delivery.name}`), join(deliveries, delivery.name))
    say(`Delivery ${delivery.name} arrived.`)
    const batch = await runGroup(request, groups.get('flights')!, 'flights', say)
    batches.push(batch)
    ok &&= await holds(request, delivery.rows, say)
  }
  if (arrived >= until) {
    batches.push(await runGroup(request, groups.get('flights')!, 'flights', say))
    ok &&= await holds(request, DELIVERIES[until - 1]!.rows, say)
  }
  for (const name of ['history', 'records'])
    batches.push(await runGroup(request, groups.get(name)!, name, say))

  say('')
  for (const line of report(batches)) say(line)
  const tables_written = batches
    .flatMap((batch) => batch.steps)
    .filter(
      (step) => step.zone !== 'raw' && step.delta_version_after !== step.delta_version_before,
    ).length
  if (tables_written === 0) say('Nothing new: no table was written.')
  return {
    ok: ok && batches.every((batch) => batch.batch.state === 'succeeded'),
    batches,
    tables_written,
  }
}

/** Applies the sample metadata; answers group name -> id. */
async function applySamples(
  request: Request,
  data: string,
  deliveries: string,
  say: (line: string) => void,
): Promise<Map<string, string>> {
  const files = await Promise.all(
    FILES.map(async (name) => {
      const text = await readFile(join(import.meta.dirname, name), 'utf8')
      // Inside a single-quoted YAML text only the quote itself is doubled
      const fill = (path: string) => path.replaceAll("'", "''")
      return {
        name,
        text: text
          .replaceAll('{{data}}', () => fill(data))
          .replaceAll('{{deliveries}}', () => fill(deliveries)),
      }
    }),
  )
  const { changes } = await post<{ changes: { action: string }[] }>(request, '/api/apply', {
    files,
  })
  const changed = changes.filter((change) => change.action !== 'unchanged').length
  say(changed === 0 ? 'The metadata is as it was.' : `Applied ${changed} changes of metadata.`)
  const { items } = await get<{ items: { id: string; name: string }[] }>(
    request,
    '/api/groups?limit=500',
  )
  return new Map(items.map((group) => [group.name, group.id]))
}

async function runGroup(
  request: Request,
  id: string,
  name: string,
  say: (line: string) => void,
): Promise<Detail> {
  const started = performance.now()
  const { batch_id } = await post<{ batch_id: string }>(request, `/api/groups/${id}/run`, {})
  for (;;) {
    const detail = await get<Detail>(request, `/api/batches/${batch_id}`)
    if (['succeeded', 'failed', 'skipped', 'cancelled'].includes(detail.batch.state)) {
      const seconds = ((performance.now() - started) / 1000).toFixed(1)
      say(`Group ${name}: ${detail.batch.state} in ${seconds} s.`)
      for (const step of detail.steps)
        if (step.error) say(`  ${step.key}: ${step.error.message} ${step.error.hint}`)
      return detail
    }
    await wait(200)
  }
}

/** Merged on all five columns, the deliveries must come to exactly as many flights as the last of them holds. */
async function holds(
  request: Request,
  rows: number,
  say: (line: string) => void,
): Promise<boolean> {
  const answer = await post<{ rows: unknown[][] }>(request, '/api/sql', {
    sql: 'select count(*) as flights from silver.flights',
  })
  const found = Number(answer.rows[0]?.[0])
  if (found === rows)
    say(`silver.flights holds ${rows.toLocaleString('en')} flights, as it should.`)
  else say(`silver.flights holds ${found} flights, but ${rows} were delivered.`)
  return found === rows
}

/** Zones, rows and rules as lines of text. */
function report(batches: Detail[]): string[] {
  const steps = batches.flatMap((batch) => batch.steps)
  const byTable = Map.groupBy(steps, (step) => `${step.zone} ${step.table}`)
  const number = (value: number) => value.toLocaleString('en').padStart(11)
  const lines = [
    `${'zone'.padEnd(7)} ${'table'.padEnd(24)}${['read', 'written', 'quarantined', 'dropped', 'duplicates'].map((word) => word.padStart(12)).join('')}`,
  ]
  const order = ['raw', 'bronze', 'silver', 'gold']
  const sorted = [...byTable].sort(
    ([, [a]], [, [b]]) =>
      order.indexOf(a!.zone) - order.indexOf(b!.zone) || a!.table.localeCompare(b!.table),
  )
  for (const [, list] of sorted) {
    const sum = (name: keyof Step) => list.reduce((total, step) => total + Number(step[name]), 0)
    const counts = (
      [
        'rows_read',
        'rows_written',
        'rows_quarantined',
        'rows_dropped',
        'rows_deduplicated',
      ] as const
    ).map((name) => ` ${number(sum(name))}`)
    lines.push(`${list[0]!.zone.padEnd(7)} ${list[0]!.table.padEnd(24)}${counts.join('')}`)
  }
  const rules = batches.flatMap((batch) => batch.rules).filter((rule) => rule.rows_failed > 0)
  lines.push(
    '',
    rules.length === 0
      ? 'Every rule passed.'
      : `${'rule'.padEnd(24)} ${'table'.padEnd(22)} ${'then'.padEnd(11)} ${'checked'.padStart(11)} ${'failed'.padStart(9)}`,
  )
  for (const rule of rules)
    lines.push(
      `${rule.name.padEnd(24)} ${rule.table.padEnd(22)} ${rule.on_fail.padEnd(11)} ${number(rule.rows_checked)} ${rule.rows_failed.toLocaleString('en').padStart(9)}`,
    )
  return lines
}

async function get<T>(request: Request, path: string): Promise<T> {
  return answer<T>(await request(path))
}

async function post<T>(request: Request, path: string, body: unknown): Promise<T> {
  return answer<T>(
    await request(path, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    }),
  )
}

async function answer<T>(response: Response): Promise<T> {
  const body = (await response.json()) as T & { detail?: string; hint?: string; errors?: unknown[] }
  if (!response.ok)
    throw new Error(
      [body.detail, body.hint, ...(body.errors ?? []).map((each) => JSON.stringify(each))].join(
        '\n',
      ),
    )
  return body
}

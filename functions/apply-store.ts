// Metadata as a whole, read from the store and written to it in bulk: what apply and export share. One query a table.
import { columnOf, fieldsOf, KINDS, labelsOf } from '#core/metadata-kinds.ts'
import type { Kind, Row, State } from '#core/metadata-kinds.ts'
import { sameRow } from '#core/metadata-draft.ts'
import type { Draft, Entry } from '#core/metadata-draft.ts'
import { canonicalJson } from '#core/plan.ts'
import { allowing } from '#sql/db.ts'
import type { Db, Sql, Tx } from '#sql/db.ts'

export type Snapshot = {
  /** The metadata version that it shows. */
  version: string
  state: State
  /** `table/id` of what a former apply made. */
  applied: Set<string>
}

/** In pages, so that an embedded store, which answers in this process, lets other work in between. */
const ROWS_A_PAGE = 1000
/** 100 000 configs, on a machine that has other work. */
const READ_MS = 60_000

/** All metadata of one moment. */
export function readSnapshot(sql: Sql): Promise<Snapshot> {
  return allowing(READ_MS, () => readAll(sql))
}

function readAll(sql: Sql): Promise<Snapshot> {
  return sql.begin('isolation level repeatable read read only', async (tx) => {
    const [version] = await tx<{ value: string }[]>`select value::text from config.metadata_version`
    const state = {} as State
    for (const kind of KINDS) {
      state[kind.key] = []
      const pages = tx<Row[]>`select * from config.${tx(kind.table)}`.cursor(ROWS_A_PAGE)
      for await (const page of pages) state[kind.key].push(...page)
    }
    const applied = await tx<{ key: string }[]>`
      select table_name || '/' || row_id as key from config.applied
    `
    return { version: version!.value, state, applied: new Set(applied.map((row) => row.key)) }
  }) as Promise<Snapshot>
}

/** What somebody changed otherwise than by an apply. */
export type ForeignChange = { entry: Entry; actor: string; changed_at: Date; deleted: boolean }

/** The entries whose file was exported and whose last change since then was made by no apply. */
export async function foreignChanges(
  db: Db,
  draft: Draft,
  entries: readonly Entry[],
): Promise<ForeignChange[]> {
  const exported = entries.filter((entry) => entry.object?.exported_at_version != null)
  if (exported.length === 0) return []
  const since = exported
    .map((entry) => entry.object!.exported_at_version!)
    .reduce((least, each) => (each < least ? each : least))
  const rows = await db<
    {
      table_name: string
      row_id: string
      operation: string
      actor: string
      changed_at: Date
      metadata_version: string
      origin: string | null
      before: Row | null
      after: Row | null
    }[]
  >`
    select table_name, row_id, operation, actor, changed_at, metadata_version, origin, before, after
    from config.change
    where metadata_version > ${since.toString()}
    order by id desc
  `
  const of = labelsOf(draft.before)
  const byRow = Map.groupBy(rows, (row) => `${row.table_name}/${row.row_id}`)
  const deleted = Map.groupBy(
    rows.filter((row) => row.operation === 'delete'),
    (row) => row.table_name,
  )
  return exported.flatMap((entry): ForeignChange[] => {
    const { kind, label } = entry
    const last = entry.before
      ? byRow
          .get(`${kind.table}/${entry.before.id}`)
          ?.find((row) => row.operation !== 'update' || !sameRow(kind, row.before!, row.after!))
      : deleted.get(kind.table)?.find((row) => kind.label(row.before!, of) === label)
    // What an apply has overwritten since then is no loss
    if (
      !last ||
      last.origin !== null ||
      BigInt(last.metadata_version) <= entry.object!.exported_at_version!
    )
      return []
    const { actor, changed_at } = last
    return [{ entry, actor, changed_at, deleted: entry.before === null }]
  })
}

/** Rows in one statement: more would hold the event loop too long on the embedded store. */
const ROWS_AT_ONCE = 200

/** Writes a draft without faults. Order: what may block others goes first, what others need comes before them. */
export async function writeDraft(tx: Tx, draft: Draft): Promise<void> {
  const of = (kind: Kind) => draft.entries.filter((entry) => entry.kind.key === kind.key)
  const leaves = new Set([
    'rule_sets',
    'dq_rules',
    'gold_configs',
    'silver_configs',
    'bronze_configs',
  ])
  // A table that is given up must be gone before another zone takes its name
  for (const kind of KINDS.toReversed()) if (leaves.has(kind.key)) await remove(tx, kind, of(kind))
  for (const kind of KINDS) {
    const entries = of(kind)
    const changed = entries.filter((entry) => entry.before && entry.after && differs(entry))
    // A name is free for another one after its rename; one environment ceases to be the default before another becomes it
    const first = changed.filter((entry) => entry.former !== null || !entry.after!.is_default)
    await update(
      tx,
      kind,
      first.filter((entry) => entry.former !== null),
    )
    await insert(
      tx,
      kind,
      entries.filter((entry) => entry.before === null && !entry.after?.is_default),
    )
    await update(
      tx,
      kind,
      first.filter((entry) => entry.former === null),
    )
    await update(
      tx,
      kind,
      changed.filter((entry) => entry.former === null && entry.after!.is_default),
    )
    await insert(
      tx,
      kind,
      entries.filter((entry) => entry.before === null && entry.after?.is_default),
    )
  }
  for (const kind of KINDS.toReversed()) if (!leaves.has(kind.key)) await remove(tx, kind, of(kind))
}

/** Whether a row is to be written: what files show of it, or what follows from its SQL, is different. */
export function differs({ kind, before, after }: Entry): boolean {
  if (before === null || after === null) return true
  return (
    !sameRow(kind, before, after) ||
    DERIVED.some(
      (column) =>
        kind.hidden.includes('columns') &&
        canonicalJson(before[column] ?? null) !== canonicalJson(after[column] ?? null),
    )
  )
}

const DERIVED = ['columns', 'derived']

function columnsOf(kind: Kind): string[] {
  const shown = fieldsOf(kind).map((field) => columnOf(kind, field))
  return kind.hidden.includes('columns') ? [...shown, ...DERIVED] : shown
}

async function insert(tx: Tx, kind: Kind, entries: readonly Entry[]): Promise<void> {
  const columns = ['id', ...columnsOf(kind)]
  for (const rows of inParts(kind, entries)) {
    await tx`
      insert into config.${tx(kind.table)} (${tx(columns)})
      select ${tx(columns)} from jsonb_populate_recordset(null::config.${tx(kind.table)}, ${rows}::jsonb)
    `
    await tx`
      insert into config.applied (table_name, row_id)
      select ${kind.table}, (each ->> 'id')::uuid from jsonb_array_elements(${rows}::jsonb) each
      on conflict do nothing
    `
  }
}

async function update(tx: Tx, kind: Kind, entries: readonly Entry[]): Promise<void> {
  const columns = columnsOf(kind)
  for (const rows of inParts(kind, entries))
    await tx`
      update config.${tx(kind.table)} t
      set (${list(tx, columns)}) = row(${list(
        tx,
        columns.map((column) => `r.${column}`),
      )})
      from jsonb_populate_recordset(null::config.${tx(kind.table)}, ${rows}::jsonb) r
      where t.id = r.id
    `
}

/** Names with commas; as a fragment of its own, since behind `set` the client would make assignments of them. */
function list(tx: Tx, names: string[]) {
  return tx`${tx(names)}`
}

async function remove(tx: Tx, kind: Kind, entries: readonly Entry[]): Promise<void> {
  const ids = entries.flatMap((entry) => (entry.after === null ? [entry.before!.id] : []))
  if (ids.length === 0) return
  await tx`delete from config.${tx(kind.table)} where id = any (${ids}::uuid[])`
  await tx`delete from config.applied where table_name = ${kind.table} and row_id = any (${ids}::uuid[])`
}

/** The rows as JSON texts of arrays. */
function* inParts(kind: Kind, entries: readonly Entry[]): Generator<string> {
  const columns = ['id', ...columnsOf(kind)]
  // Those that may name each other go together: a reference is checked at the end of its statement
  const most = Object.values(kind.refs).some((ref) => ref.kind === kind.key)
    ? Infinity
    : ROWS_AT_ONCE
  for (let from = 0; from < entries.length; from += most)
    yield JSON.stringify(
      entries
        .slice(from, from + most)
        .map(({ after }) =>
          Object.fromEntries(columns.map((column) => [column, after![column] ?? null])),
        ),
    )
}

// The workspace's side of a sync: how each kind of thing is read, found again, made, changed and taken away.
import { fail, LakeForgeError } from '#core/errors.ts'
import { tableStatements } from './catalog-spec.ts'
import type { TableSpec, TableState } from './catalog-spec.ts'
import type { Client } from './client.ts'
import { apiSpec, canonical } from './compare.ts'
import { runAs } from './job-spec.ts'
import { KEY_MARK, MARK } from './resource.ts'
import type { Kind } from './resource.ts'
import { sha256 } from './specs.ts'

type Json = Record<string, unknown>

export type Live = {
  remote_id: string
  /** Canonical. */
  spec: Json
  /** Environment id that it carries as a mark; null: not ours. */
  mark: string | null
  key: string | null
  /** When it was changed last, epoch milliseconds, where the workspace says so. */
  modified_at: number | null
  creator: string | null
}

/** What is known of a thing from former syncs. */
export type Known = { remote_id: string | null; applied: Json | null; meta: Json }

export type Write = {
  /** Canonical, references resolved. */
  spec: Json
  /** Text of a file. */
  text: () => Promise<string>
  known: Known
}

export type LiveDoor = {
  /** As it is now; null where it is not there. */
  read(key: string, spec: Json, known: Known): Promise<Live | null>
  /** Those of that name, ours or not; for what we may have made without hearing of it. */
  find(key: string, spec: Json): Promise<Live[]>
  create(write: Write): Promise<string>
  update(remote_id: string, write: Write, live: Live): Promise<void>
  remove(remote_id: string, spec: Json): Promise<void>
}

export type Workspace = Record<Kind, LiveDoor>

/** Lists are read once a planning: `fresh` forgets them. */
export type OpenWorkspace = { doors: Workspace; fresh(): void }

export function openWorkspace(
  client: Client,
  options: { environment_id: string; warehouse_id: string | null; catalog: string },
): OpenWorkspace {
  const lists = new Map<string, Promise<unknown>>()
  const once = <Answer>(key: string, load: () => Promise<Answer>): Promise<Answer> => {
    let known = lists.get(key) as Promise<Answer> | undefined
    if (!known) lists.set(key, (known = load()))
    return known
  }
  const warehouse = () =>
    once('warehouse', async () => options.warehouse_id ?? (await anyWarehouse(client)))
  return {
    doors: {
      folder: folderDoor(client, once),
      file: fileDoor(client, once),
      schema: schemaDoor(client),
      volume: volumeDoor(client, options.environment_id),
      pipeline: pipelineDoor(client),
      job: jobDoor(client),
      table: tableDoor(client, warehouse, once),
    },
    fresh: () => lists.clear(),
  }
}

type Once = <Answer>(key: string, load: () => Promise<Answer>) => Promise<Answer>

/** Null for what is not there. */
async function orNull<Answer>(promise: Promise<Answer>): Promise<Answer | null> {
  try {
    return await promise
  } catch (error) {
    if (error instanceof LakeForgeError && error.code === 'workspace_missing') return null
    throw error
  }
}

async function orGone(promise: Promise<unknown>): Promise<void> {
  await orNull(promise)
}

// ## Jobs

type JobAnswer = {
  job_id: string
  settings: Json
  creator_user_name?: string
  run_as_user_name?: string
  created_time?: number
  next_page_token?: string
  has_more?: boolean
}

function jobDoor(client: Client): LiveDoor {
  const get = async (job_id: string): Promise<Live | null> => {
    const job = await orNull(client.get<JobAnswer>('/api/2.2/jobs/get', { job_id }))
    if (job === null) return null
    // Arrays beyond a hundred come in pages; those that have ended are left out
    for (let token = job.next_page_token; token;) {
      const more = await client.get<JobAnswer>('/api/2.2/jobs/get', { job_id, page_token: token })
      for (const key of ['tasks', 'job_clusters', 'environments', 'parameters'])
        if (Array.isArray(more.settings[key]))
          job.settings[key] = [
            ...((job.settings[key] as unknown[] | undefined) ?? []),
            ...more.settings[key],
          ]
      token = more.next_page_token
    }
    const { run_as: _runAs, ...settings } = job.settings
    const tags = (settings.tags ?? {}) as Record<string, string>
    return {
      remote_id: job.job_id,
      spec: canonical('job', { ...settings, run_as: job.run_as_user_name }),
      mark: tags[MARK] ?? null,
      key: tags[KEY_MARK] ?? null,
      modified_at: null,
      creator: job.creator_user_name ?? null,
    }
  }
  const settings = (spec: Json) => {
    const { run_as, ...rest } = spec
    return {
      ...(apiSpec(rest) as Json),
      ...(typeof run_as === 'string' && { run_as: runAs(run_as) }),
    }
  }
  return {
    read: (_key, _spec, { remote_id }) =>
      remote_id === null ? Promise.resolve(null) : get(remote_id),
    async find(_key, spec) {
      const found: Live[] = []
      // The list ignores case; we don't
      for await (const job of client.list<JobAnswer>('/api/2.2/jobs/list', 'jobs', {
        name: String(spec.name),
        limit: 100,
      }))
        if (job.settings.name === spec.name) {
          const live = await get(job.job_id)
          if (live) found.push(live)
        }
      return found
    },
    async create({ spec }) {
      const { job_id } = await client.call<{ job_id: string }>('POST', '/api/2.2/jobs/create', {
        body: settings(spec),
      })
      return job_id
    },
    async update(job_id, { spec }) {
      await client.call('POST', '/api/2.2/jobs/reset', {
        body: { job_id, new_settings: settings(spec) },
        repeatable: true,
      })
    },
    remove: (job_id) =>
      orGone(client.call('POST', '/api/2.2/jobs/delete', { body: { job_id }, repeatable: true })),
  }
}

// ## Pipelines

type PipelineAnswer = {
  pipeline_id: string
  spec: Json
  last_modified?: number
  run_as_user_name?: string
  creator_user_name?: string
}

function pipelineDoor(client: Client): LiveDoor {
  const path = (id: string) => `/api/2.0/pipelines/${encodeURIComponent(id)}`
  const get = async (id: string): Promise<Live | null> => {
    const found = await orNull(client.get<PipelineAnswer>(path(id)))
    if (found === null) return null
    const configuration = (found.spec.configuration ?? {}) as Record<string, string>
    return {
      remote_id: found.pipeline_id,
      spec: canonical('pipeline', { ...found.spec, run_as: found.run_as_user_name }),
      mark: configuration['lakeforge.environment_id'] ?? null,
      key: configuration['lakeforge.key'] ?? null,
      modified_at: found.last_modified ?? null,
      creator: found.creator_user_name ?? null,
    }
  }
  const body = (spec: Json) => {
    const { run_as, ...rest } = spec
    return {
      ...(apiSpec(rest) as Json),
      ...(typeof run_as === 'string' && { run_as: runAs(run_as) }),
    }
  }
  return {
    read: (_key, _spec, { remote_id }) =>
      remote_id === null ? Promise.resolve(null) : get(remote_id),
    async find(_key, spec) {
      const found: Live[] = []
      // _ and % stand for anything: what comes back is compared exactly
      for await (const each of client.list<{ pipeline_id: string; name: string }>(
        '/api/2.0/pipelines',
        'statuses',
        { filter: `name LIKE '${String(spec.name)}'`, max_results: 100 },
      ))
        if (each.name === spec.name) {
          const live = await get(each.pipeline_id)
          if (live) found.push(live)
        }
      return found
    },
    async create({ spec }) {
      const { pipeline_id } = await client.call<{ pipeline_id: string }>(
        'POST',
        '/api/2.0/pipelines',
        { body: body(spec) },
      )
      return pipeline_id
    },
    async update(id, { spec }, live) {
      await client.call('PUT', path(id), {
        body: {
          ...body(spec),
          ...(live.modified_at !== null && { expected_last_modified: live.modified_at }),
        },
      })
    },
    // Never with its tables
    remove: (id) => orGone(client.call('DELETE', path(id), { query: { cascade: false } })),
  }
}

// ## Workspace files

type ObjectAnswer = {
  object_id: string
  object_type: string
  path: string
  modified_at?: number
  language?: string
}

function folderOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/')) || '/'
}

async function objectsIn(
  client: Client,
  once: Once,
  folder: string,
): Promise<Map<string, ObjectAnswer>> {
  return once(`objects ${folder}`, async () => {
    const answer = await orNull(
      client.get<{ objects?: ObjectAnswer[] }>('/api/2.0/workspace/list', { path: folder }),
    )
    return new Map(
      (answer?.objects ?? []).map((each) => [each.path.replace(/^\/Workspace(?=\/)/, ''), each]),
    )
  })
}

function folderDoor(client: Client, once: Once): LiveDoor {
  const read = async (spec: Json): Promise<Live | null> => {
    const path = String(spec.path)
    const found = await once(`status ${path}`, () =>
      orNull(
        client.get<ObjectAnswer>('/api/2.0/workspace/get-status', { path: `/Workspace${path}` }),
      ),
    )
    if (found === null) return null
    return {
      remote_id: found.object_id,
      spec: found.object_type === 'DIRECTORY' ? spec : { path, object_type: found.object_type },
      mark: null,
      key: null,
      modified_at: null,
      creator: null,
    }
  }
  return {
    read: (_key, spec) => read(spec),
    find: async () => [],
    async create({ spec }) {
      const path = `/Workspace${String(spec.path)}`
      await client.call('POST', '/api/2.0/workspace/mkdirs', { body: { path }, repeatable: true })
      return (await client.get<ObjectAnswer>('/api/2.0/workspace/get-status', { path })).object_id
    },
    update: () =>
      fail('workspace_refused', { said: 'something else than a folder stands in its place' }),
    remove: (_id, spec) =>
      orGone(
        client.call('POST', '/api/2.0/workspace/delete', {
          body: { path: `/Workspace${String(spec.path)}` },
          repeatable: true,
        }),
      ),
  }
}

function fileDoor(client: Client, once: Once): LiveDoor {
  const write = async (spec: Json, text: string): Promise<string> => {
    const path = `/Workspace${String(spec.path)}`
    await client.call('POST', '/api/2.0/workspace/import', {
      body: {
        path,
        content: base64(text),
        overwrite: true,
        ...(spec.notebook === true ? { format: 'SOURCE', language: 'PYTHON' } : { format: 'RAW' }),
      },
      repeatable: true,
    })
    const made = await client.get<ObjectAnswer>('/api/2.0/workspace/get-status', { path })
    return made.object_id
  }
  return {
    async read(_key, spec, known) {
      const path = String(spec.path)
      const found = (await objectsIn(client, once, `/Workspace${folderOf(path)}`)).get(path)
      if (!found) return null
      const modified_at = found.modified_at ?? null
      // Nobody has been there since our last look: what we wrote is what it holds
      const untouched =
        known.remote_id === found.object_id &&
        modified_at !== null &&
        known.meta.modified_at === modified_at
      const hash = untouched ? String((known.applied ?? {}).sha256) : await exported(client, path)
      return {
        remote_id: found.object_id,
        spec: { notebook: found.object_type === 'NOTEBOOK', path, sha256: hash },
        mark: null,
        key: null,
        modified_at,
        creator: null,
      }
    },
    find: async () => [],
    create: async ({ spec, text }) => write(spec, await text()),
    async update(_id, { spec, text }, live) {
      // A notebook does not become a file by writing over it
      if (live.spec.notebook !== spec.notebook)
        await client.call('POST', '/api/2.0/workspace/delete', {
          body: { path: `/Workspace${String(spec.path)}` },
          repeatable: true,
        })
      await write(spec, await text())
    },
    remove: (_id, spec) =>
      orGone(
        client.call('POST', '/api/2.0/workspace/delete', {
          body: { path: `/Workspace${String(spec.path)}` },
          repeatable: true,
        }),
      ),
  }
}

async function exported(client: Client, path: string): Promise<string> {
  const { content } = await client.get<{ content: string }>('/api/2.0/workspace/export', {
    path: `/Workspace${path}`,
    format: 'SOURCE',
  })
  return sha256(
    new TextDecoder().decode(Uint8Array.from(atob(content), (char) => char.charCodeAt(0))),
  )
}

function base64(text: string): string {
  const bytes = new TextEncoder().encode(text)
  let binary = ''
  for (let at = 0; at < bytes.length; at += 8192)
    binary += String.fromCharCode(...bytes.subarray(at, at + 8192))
  return btoa(binary)
}

// ## Unity Catalog

type Securable = {
  full_name: string
  owner?: string
  comment?: string
  properties?: Record<string, string>
  updated_at?: number
}
const UC = '/api/2.1/unity-catalog'

function schemaDoor(client: Client): LiveDoor {
  const nameOf = (spec: Json) => `${String(spec.catalog_name)}.${String(spec.name)}`
  const path = (spec: Json) => `${UC}/schemas/${encodeURIComponent(nameOf(spec))}`
  const read = async (spec: Json): Promise<Live | null> => {
    const found = await orNull(client.get<Securable>(path(spec)))
    if (found === null) return null
    const mark = found.properties?.[MARK] ?? null
    return {
      remote_id: found.full_name,
      spec: { ...spec, comment: found.comment ?? '' },
      mark,
      key: null,
      modified_at: found.updated_at ?? null,
      creator: found.owner ?? null,
    }
  }
  return {
    read: (_key, spec) => read(spec),
    find: async (_key, spec) => [await read(spec)].filter((each) => each !== null),
    create: async ({ spec }) =>
      (await client.call<Securable>('POST', `${UC}/schemas`, { body: spec })).full_name,
    async update(_id, { spec }) {
      await client.call('PATCH', path(spec), { body: { comment: spec.comment }, repeatable: true })
    },
    // Not by force: one that holds tables stays
    remove: (_id, spec) => orGone(client.call('DELETE', path(spec))),
  }
}

function volumeDoor(client: Client, environment_id: string): LiveDoor {
  const path = (spec: Json) =>
    `${UC}/volumes/${encodeURIComponent([spec.catalog_name, spec.schema_name, spec.name].join('.'))}`
  const read = async (spec: Json): Promise<Live | null> => {
    const found = await orNull(client.get<Securable>(path(spec)))
    if (found === null) return null
    const mark = found.comment?.includes(environment_id) ? environment_id : null
    return {
      remote_id: found.full_name,
      spec: { ...spec, comment: found.comment ?? '' },
      mark,
      key: null,
      modified_at: found.updated_at ?? null,
      creator: found.owner ?? null,
    }
  }
  return {
    read: (_key, spec) => read(spec),
    find: async (_key, spec) => [await read(spec)].filter((each) => each !== null),
    create: async ({ spec }) =>
      (await client.call<Securable>('POST', `${UC}/volumes`, { body: spec })).full_name,
    async update(_id, { spec }) {
      await client.call('PATCH', path(spec), { body: { comment: spec.comment }, repeatable: true })
    },
    remove: (_id, spec) => orGone(client.call('DELETE', path(spec))),
  }
}

type TableAnswer = Securable & {
  columns?: {
    name: string
    type_text?: string
    comment?: string
    mask?: { function_name: string }
  }[]
  row_filter?: { function_name: string; input_column_names?: string[] }
  table_id?: string
}

function tableDoor(client: Client, warehouse: () => Promise<string | null>, once: Once): LiveDoor {
  const tablesOf = (schema: string) =>
    once(`tables ${schema}`, async () => {
      const [catalog_name, schema_name] = schema.split('.')
      const found = new Map<string, TableAnswer>()
      try {
        for await (const each of client.list<TableAnswer>(`${UC}/tables`, 'tables', {
          catalog_name: catalog_name!,
          schema_name: schema_name!,
          max_results: 0,
        }))
          found.set(each.full_name, each)
      } catch (error) {
        if (!(error instanceof LakeForgeError && error.code === 'workspace_missing')) throw error
      }
      return found
    })
  const run = async (statement: string) => {
    const warehouse_id = (await warehouse()) ?? fail('warehouse_missing')
    let answer = await client.call<{
      statement_id: string
      status: { state: string; error?: { message?: string } }
    }>('POST', '/api/2.0/sql/statements', {
      // Each of ours sets a state: a second time does no more
      body: { warehouse_id, statement, wait_timeout: '50s', on_wait_timeout: 'CONTINUE' },
      repeatable: true,
    })
    while (answer.status.state === 'PENDING' || answer.status.state === 'RUNNING')
      answer = await client.get(`/api/2.0/sql/statements/${answer.statement_id}`)
    if (answer.status.state !== 'SUCCEEDED')
      fail('workspace_refused', { said: answer.status.error?.message ?? answer.status.state })
  }
  const grants = async (table: string): Promise<Record<string, string[]>> => {
    const answer = await orNull(
      client.get<{ privilege_assignments?: { principal: string; privileges: string[] }[] }>(
        `${UC}/permissions/table/${encodeURIComponent(table)}`,
      ),
    )
    return Object.fromEntries(
      (answer?.privilege_assignments ?? []).map((each) => [
        each.principal,
        [...each.privileges].sort(),
      ]),
    )
  }
  /** What the catalog shows of what we set; tags and the text of a filter it does not show: as applied. */
  const stateOf = (answer: TableAnswer, applied: TableSpec | null): TableState => {
    const columns: TableState['columns'] = {}
    for (const each of answer.columns ?? []) {
      const entry = {
        ...(each.comment && { comment: each.comment }),
        ...(each.mask && { mask: each.mask.function_name.toLowerCase() }),
      }
      if (Object.keys(entry).length > 0) columns[each.name.toLowerCase()] = entry
    }
    const filter = answer.row_filter
    return {
      comment: answer.comment ?? null,
      tags: applied?.tags ?? {},
      columns,
      row_filter: filter
        ? {
            function: filter.function_name.toLowerCase(),
            columns: filter.input_column_names ?? [],
            ...(applied?.row_filter && { body: applied.row_filter.body }),
          }
        : null,
    }
  }
  return {
    async read(_key, spec, known) {
      const wanted = whole(spec)
      const applied = known.applied && whole(known.applied)
      const answer = (await tablesOf(wanted.table.split('.').slice(0, 2).join('.'))).get(
        wanted.table,
      )
      if (!answer) return null
      const state = stateOf(answer, applied)
      // Only what we set, now or before, is ours to compare
      const mine = <Inner>(
        map: Record<string, Inner>,
        ...of: (Record<string, unknown> | undefined)[]
      ) =>
        Object.fromEntries(
          Object.entries(map).filter(([key]) => of.some((each) => each && key in each)),
        )
      const held =
        Object.keys(wanted.grants).length + Object.keys(applied?.grants ?? {}).length > 0
          ? await grants(wanted.table)
          : {}
      const sameFilter =
        wanted.row_filter !== null &&
        state.row_filter?.function === wanted.row_filter.function &&
        state.row_filter.columns.join() === wanted.row_filter.columns.join() &&
        state.row_filter.body === wanted.row_filter.body
      const live: TableSpec = {
        table: wanted.table,
        comment:
          wanted.comment === null && (applied?.comment ?? null) === null ? null : state.comment,
        tags: state.tags,
        columns: mine(state.columns, wanted.columns, applied?.columns),
        row_filter: sameFilter
          ? wanted.row_filter
          : state.row_filter === null
            ? null
            : {
                function: state.row_filter.function,
                columns: state.row_filter.columns,
                types: [],
                body: state.row_filter.body ?? '',
              },
        grants: Object.fromEntries(
          Object.entries(held).flatMap(([principal, privileges]) => {
            const ours = new Set([
              ...(wanted.grants[principal] ?? []),
              ...(applied?.grants[principal] ?? []),
            ])
            const kept = privileges.filter((each) => ours.has(each))
            return kept.length > 0 ? [[principal, kept]] : []
          }),
        ),
      }
      return {
        remote_id: answer.table_id ?? answer.full_name,
        spec: canonical('table', live as unknown as Json),
        mark: null,
        key: null,
        modified_at: answer.updated_at ?? null,
        creator: answer.owner ?? null,
      }
    },
    find: async () => [],
    create: () => fail('workspace_refused', { said: 'a table is made by its first run' }),
    async update(_id, { spec, known }) {
      const wanted = whole(spec)
      const applied = known.applied && whole(known.applied)
      const answer = await client.get<TableAnswer>(
        `${UC}/tables/${encodeURIComponent(wanted.table)}`,
      )
      const state = stateOf(answer, applied)
      for (const key of Object.keys(state.columns))
        if (!(key in wanted.columns) && !(applied && key in applied.columns))
          delete state.columns[key]
      if (wanted.row_filter === null && (applied?.row_filter ?? null) === null)
        state.row_filter = null
      if (wanted.comment === null && (applied?.comment ?? null) === null) state.comment = null
      const types = Object.fromEntries(
        (answer.columns ?? []).map((each) => [each.name.toLowerCase(), each.type_text ?? 'string']),
      )
      // Masks and filters first: where one fails nobody is let in
      for (const statement of tableStatements(wanted, state, types)) await run(statement)
      const held = await grants(wanted.table)
      const changes = [
        ...new Set([...Object.keys(wanted.grants), ...Object.keys(applied?.grants ?? {})]),
      ]
        .sort()
        .flatMap((principal) => {
          const has = new Set(held[principal] ?? [])
          const add = (wanted.grants[principal] ?? []).filter((each) => !has.has(each))
          const remove = (applied?.grants[principal] ?? []).filter(
            (each) => has.has(each) && !(wanted.grants[principal] ?? []).includes(each),
          )
          return add.length + remove.length > 0
            ? [{ principal, ...(add.length > 0 && { add }), ...(remove.length > 0 && { remove }) }]
            : []
        })
      if (changes.length > 0)
        await client.call('PATCH', `${UC}/permissions/table/${encodeURIComponent(wanted.table)}`, {
          body: { changes },
          repeatable: true,
        })
    },
    // The table is data: only what we said of it goes, with the next sync of whoever says something
    remove: async () => {},
  }
}

/** Canonical specs leave out what says nothing. */
function whole(spec: Json): TableSpec {
  return {
    tags: {},
    columns: {},
    grants: {},
    comment: null,
    row_filter: null,
    ...spec,
  } as unknown as TableSpec
}

async function anyWarehouse(client: Client): Promise<string | null> {
  const { warehouses = [] } = await client.get<{ warehouses?: { id: string; state: string }[] }>(
    '/api/2.0/sql/warehouses',
  )
  return (
    (
      warehouses.find((each) => each.state === 'RUNNING') ??
      warehouses.find((each) => each.state !== 'DELETED')
    )?.id ?? null
  )
}

// Pipelines API of the fake.
import { Hono } from 'hono'
import { body, dropEmpty, invalid, nothing, pageOf, refuse, reply } from './answer.ts'
import type { Ctx, FakeUser, FakeWorld } from './answer.ts'
import { listOf } from './job-rules.ts'
import type { FakePipeline, FakeUpdate, Json } from './state.ts'

type Env = { Variables: { fake: FakeWorld; user: FakeUser } }

const NOT_SPEC = [
  'allow_duplicate_names',
  'dry_run',
  'run_as',
  'parameters',
  'expected_last_modified',
  'pipeline_id',
]
const ENDED = new Set(['COMPLETED', 'FAILED', 'CANCELED'])
const WAY = [
  'QUEUED',
  'CREATED',
  'WAITING_FOR_RESOURCES',
  'INITIALIZING',
  'SETTING_UP_TABLES',
  'RUNNING',
  'COMPLETED',
]

export const pipelines = new Hono<Env>()
  .post('/', async (c) => {
    const fake = c.get('fake')
    const request = await body(c as Ctx, 'Pipelines.create')
    checkPipeline(fake, request, null)
    if (request.dry_run === true) return reply({ effective_settings: specOf(request) })
    const pipeline_id = crypto.randomUUID()
    const user = c.get('user')
    fake.state.pipelines[pipeline_id] = {
      pipeline_id,
      creator: user.name,
      last_modified: fake.now(),
      spec: specOf(request),
      run_as: request.run_as ?? null,
      parameters: request.parameters ?? null,
      updates: [],
      events: [],
    }
    fake.state.acls[`pipelines/${pipeline_id}`] = [
      { user_name: user.name, permission_level: 'IS_OWNER' },
    ]
    return reply({ pipeline_id })
  })
  .get('/', (c) => {
    const fake = c.get('fake')
    const most = Number(c.req.query('max_results') ?? 25)
    if (most > 100) invalid('max_results must be at most 100.')
    const filter = c.req.query('filter')
    let found = Object.values(fake.state.pipelines)
    if (filter !== undefined) {
      const name = /^name LIKE '([^']*)'$/i.exec(filter)
      const notebook = /^notebook='([^']*)'$/i.exec(filter)
      if (name) {
        const like = new RegExp(
          `^${name[1]!
            .replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
            .replaceAll('%', '.*')
            .replaceAll('_', '.')}$`,
        )
        found = found.filter((each) => like.test(String(each.spec.name)))
      } else if (notebook)
        found = found.filter((each) =>
          JSON.stringify(each.spec.libraries ?? []).includes(`"${notebook[1]}"`),
        )
      else invalid(`Failed to parse the filter ${filter}.`)
    }
    found.sort((a, b) => (String(a.spec.name) < String(b.spec.name) ? -1 : 1))
    const page = pageOf(found, c.req.query('page_token'), Math.min(most, fake.page))
    return reply({
      ...(page.items.length > 0 && {
        statuses: page.items.map((each) => ({
          pipeline_id: each.pipeline_id,
          name: each.spec.name,
          state: stateOf(each),
          creator_user_name: each.creator,
          run_as_user_name: runAs(each),
          latest_updates: latest(each),
        })),
      }),
      ...(page.next !== undefined && { next_page_token: page.next }),
    })
  })
  .get('/:id', (c) => {
    const each = pipelineOf(c.get('fake'), c.req.param('id'))
    for (const update of each.updates) advance(update)
    return reply({
      pipeline_id: each.pipeline_id,
      name: each.spec.name,
      spec: shownSpec(each),
      state: stateOf(each),
      health: 'HEALTHY',
      creator_user_name: each.creator,
      run_as_user_name: runAs(each),
      ...(each.run_as !== null && { run_as: each.run_as }),
      ...(each.parameters !== null && { parameters: each.parameters }),
      last_modified: each.last_modified,
      latest_updates: latest(each),
      effective_publishing_mode:
        each.spec.schema === undefined ? 'LEGACY_PUBLISHING_MODE' : 'DEFAULT_PUBLISHING_MODE',
    })
  })
  .put('/:id', async (c) => {
    const fake = c.get('fake')
    const each = pipelineOf(fake, c.req.param('id'))
    const request = await body(c as Ctx, 'Pipelines.update')
    const expected = request.expected_last_modified
    if (expected !== undefined && String(expected) !== String(each.last_modified))
      refuse(409, 'ABORTED', 'The pipeline was changed since it was read.')
    checkPipeline(fake, request, each.pipeline_id)
    const catalog = (spec: Json) => spec.catalog !== undefined
    if (catalog(each.spec) !== catalog(request))
      invalid('A pipeline can not switch between storage and catalog.')
    each.spec = specOf(request)
    each.run_as = request.run_as ?? each.run_as
    each.parameters = request.parameters ?? null
    each.last_modified = Math.max(fake.now(), each.last_modified + 1)
    return nothing()
  })
  .delete('/:id', (c) => {
    const fake = c.get('fake')
    const each = pipelineOf(fake, c.req.param('id'))
    // The default drops data
    if (c.req.query('cascade') !== 'false')
      for (const [name, table] of Object.entries(fake.state.tables))
        if (table.pipeline_id === each.pipeline_id) delete fake.state.tables[name]
    delete fake.state.pipelines[each.pipeline_id]
    delete fake.state.acls[`pipelines/${each.pipeline_id}`]
    return nothing()
  })
  .post('/:id/updates', async (c) => {
    const fake = c.get('fake')
    const each = pipelineOf(fake, c.req.param('id'))
    const request = await body(c as Ctx, 'Pipelines.start_update')
    if (each.updates.some((update) => !ENDED.has(update.state)))
      refuse(
        409,
        'INVALID_STATE',
        `An active update already exists for pipeline ${each.pipeline_id}.`,
      )
    const update: FakeUpdate = {
      update_id: crypto.randomUUID(),
      state: 'QUEUED',
      cause: 'API_CALL',
      creation_time: fake.now(),
      request,
      stop: false,
    }
    each.updates.unshift(update)
    return reply({ update_id: update.update_id })
  })
  .get('/:id/updates/:update', (c) => {
    const each = pipelineOf(c.get('fake'), c.req.param('id'))
    const update =
      each.updates.find((one) => one.update_id === c.req.param('update')) ??
      missing(c.req.param('update'))
    advance(update)
    return reply({
      update: {
        ...update.request,
        update_id: update.update_id,
        pipeline_id: each.pipeline_id,
        state: update.state,
        cause: update.cause,
        creation_time: update.creation_time,
      },
    })
  })
  .get('/:id/updates', (c) => {
    const each = pipelineOf(c.get('fake'), c.req.param('id'))
    const page = pageOf(
      each.updates,
      c.req.query('page_token'),
      Math.min(Number(c.req.query('max_results') ?? 25), c.get('fake').page),
    )
    return reply({
      updates: page.items.map(({ update_id, state, creation_time }) => ({
        update_id,
        state,
        creation_time,
      })),
      ...(page.next && { next_page_token: page.next }),
    })
  })
  .post('/:id/stop', (c) => {
    const each = pipelineOf(c.get('fake'), c.req.param('id'))
    for (const update of each.updates) if (!ENDED.has(update.state)) update.stop = true
    return reply({})
  })
  .get('/:id/events', (c) => {
    const each = pipelineOf(c.get('fake'), c.req.param('id'))
    const token = c.req.query('page_token')
    if (token !== undefined && c.req.query('filter') !== undefined)
      invalid('page_token can not be combined with other parameters.')
    const level = /level\s*=\s*'(\w+)'/i.exec(c.req.query('filter') ?? '')
    const events = each.events.filter((event) => level === null || event.level === level[1])
    const page = pageOf(
      events,
      token,
      Math.min(Number(c.req.query('max_results') ?? 25), c.get('fake').page),
    )
    return reply({ events: page.items, ...(page.next && { next_page_token: page.next }) })
  })

function missing(id: string): never {
  return refuse(404, 'RESOURCE_DOES_NOT_EXIST', `The specified pipeline ${id} was not found.`)
}

function pipelineOf(fake: FakeWorld, id: string): FakePipeline {
  return fake.state.pipelines[id] ?? missing(id)
}

function specOf(request: Json): Json {
  return Object.fromEntries(Object.entries(request).filter(([key]) => !NOT_SPEC.includes(key)))
}

function checkPipeline(fake: FakeWorld, spec: Json, self: string | null): void {
  const name = String(spec.name ?? '')
  if (name === '') invalid('A pipeline needs a name.')
  const taken = Object.values(fake.state.pipelines).some(
    (each) => each.spec.name === name && each.pipeline_id !== self,
  )
  if (taken && spec.allow_duplicate_names !== true)
    refuse(
      409,
      'RESOURCE_CONFLICT',
      `The pipeline name '${name}' is already used by another pipeline. This check can be skipped by setting allow_duplicate_names to true.`,
    )
  const given = (key: string) => spec[key] !== undefined
  if (given('catalog') && given('storage')) invalid('catalog and storage can not be set together.')
  if (given('schema') && given('target')) invalid('schema and target can not be set together.')
  if (given('schema') && !given('catalog')) invalid('schema needs a catalog.')
  const clusters = listOf(spec.clusters)
  if (spec.serverless === true && clusters.length > 0)
    invalid('A serverless pipeline has no clusters.')
  if (spec.serverless === true && !given('catalog'))
    invalid('A serverless pipeline needs a catalog.')
  if (clusters.filter((each) => (each.label ?? 'default') === 'default').length > 1)
    invalid('Exactly one default cluster is allowed.')
  if (clusters.some((each) => each.spark_version !== undefined))
    invalid('The cluster of a pipeline has no spark_version.')
  if (given('ingestion_definition')) {
    if (['libraries', 'schema', 'target', 'catalog'].some(given))
      invalid('An ingestion pipeline takes neither libraries nor catalog, schema or target.')
  } else if (listOf(spec.libraries).length === 0) invalid('A pipeline needs libraries.')
  for (const library of listOf(spec.libraries))
    if (Object.keys(library).length !== 1) invalid('An entry of libraries has one kind.')
  if (Object.keys((spec.tags as Json | undefined) ?? {}).length > 25)
    invalid('A pipeline can have at most 25 tags.')
  if (
    spec.edition !== undefined &&
    !['CORE', 'PRO', 'ADVANCED'].includes(String(spec.edition).toUpperCase())
  )
    invalid('Unknown edition.')
}

/** With what the server adds. */
function shownSpec(each: FakePipeline): Json {
  const spec = dropEmpty(each.spec) as Json
  const shown: Json = {
    id: each.pipeline_id,
    channel: 'CURRENT',
    edition: 'ADVANCED',
    continuous: false,
    development: false,
    photon: false,
    ...(spec.catalog === undefined &&
      spec.storage === undefined && { storage: `dbfs:/pipelines/${each.pipeline_id}` }),
    ...spec,
  }
  if (typeof shown.catalog === 'string') shown.catalog = shown.catalog.toLowerCase()
  if (typeof shown.schema === 'string') shown.schema = shown.schema.toLowerCase()
  if (shown.libraries) shown.libraries = listOf(shown.libraries).toReversed()
  if (shown.clusters)
    shown.clusters = listOf(shown.clusters).map((cluster) => {
      const { apply_policy_default_values: _never, ...rest } = cluster
      return {
        label: 'default',
        node_type_id: 'i3.xlarge',
        enable_local_disk_encryption: false,
        ...rest,
      }
    })
  if (shown.event_log)
    shown.event_log = { catalog: shown.catalog, schema: shown.schema, ...(shown.event_log as Json) }
  return shown
}

function stateOf(each: FakePipeline): string {
  return each.updates.some((update) => !ENDED.has(update.state)) ? 'RUNNING' : 'IDLE'
}

function runAs(each: FakePipeline): string {
  return Object.values((each.run_as as Record<string, string> | null) ?? {})[0] ?? each.creator
}

function latest(each: FakePipeline): Json[] {
  return each.updates.slice(0, 5).map(({ update_id, state, creation_time }) => ({
    update_id,
    state,
    creation_time: new Date(creation_time).toISOString(),
  }))
}

function advance(update: FakeUpdate): void {
  if (ENDED.has(update.state)) return
  if (update.stop) update.state = update.state === 'STOPPING' ? 'CANCELED' : 'STOPPING'
  else update.state = WAY[WAY.indexOf(update.state) + 1] ?? 'COMPLETED'
}

// Unity Catalog, permissions and SQL statements of the fake. Of SQL it understands what LakeForge writes there; anything else goes
// to the one who started it, or fails as a statement does: with HTTP 200.
import { Hono } from 'hono'
import { body, gone, invalid, nothing, pageOf, refuse, reply } from './answer.ts'
import type { Ctx, FakeUser, FakeWorld } from './answer.ts'
import { listOf } from './job-rules.ts'
import { alter } from './unity-sql.ts'
import type { Acl, Json } from './state.ts'

type Env = { Variables: { fake: FakeWorld; user: FakeUser } }

export const unity = new Hono<Env>()
  .get('/current-metastore-assignment', () =>
    reply({
      metastore_id: 'metastore-1',
      workspace_id: '9007199254740997',
      default_catalog_name: 'main',
    }),
  )
  .get('/catalogs', (c) => page(c as Ctx, 'catalogs', Object.values(c.get('fake').state.catalogs)))
  .get('/connections', (c) =>
    page(c as Ctx, 'connections', Object.values(c.get('fake').state.connections)),
  )
  .get('/catalogs/:name', (c) => {
    const name = c.req.param('name').toLowerCase()
    return reply(c.get('fake').state.catalogs[name] ?? gone(`Catalog '${name}' does not exist.`))
  })
  .post('/schemas', async (c) => {
    const fake = c.get('fake')
    const request = await body(c as Ctx, 'Schemas.create')
    const catalog = String(request.catalog_name).toLowerCase()
    if (!fake.state.catalogs[catalog]) gone(`Catalog '${catalog}' does not exist.`)
    const full_name = `${catalog}.${String(request.name).toLowerCase()}`
    if (fake.state.schemas[full_name])
      refuse(400, 'SCHEMA_ALREADY_EXISTS', `Schema '${full_name}' already exists.`)
    fake.state.schemas[full_name] = {
      ...request,
      ...born(c as Ctx),
      catalog_name: catalog,
      name: full_name.split('.')[1],
      full_name,
    }
    return reply(fake.state.schemas[full_name])
  })
  .get('/schemas', (c) => {
    const catalog = c.req.query('catalog_name')?.toLowerCase()
    return page(
      c as Ctx,
      'schemas',
      Object.values(c.get('fake').state.schemas).filter((each) => each.catalog_name === catalog),
    )
  })
  .get('/schemas/:name', (c) => reply(found(c as Ctx, 'schemas', 'Schema', c.req.param('name'))))
  .patch('/schemas/:name', async (c) => {
    const each = found(c as Ctx, 'schemas', 'Schema', c.req.param('name'))
    Object.assign(each, await body(c as Ctx, 'Schemas.update'), changed(c as Ctx))
    return reply(each)
  })
  .delete('/schemas/:name', (c) => {
    const fake = c.get('fake')
    const each = found(c as Ctx, 'schemas', 'Schema', c.req.param('name'))
    const inside = [...Object.keys(fake.state.tables), ...Object.keys(fake.state.volumes)].filter(
      (name) => name.startsWith(`${String(each.full_name)}.`),
    )
    if (inside.length > 0 && c.req.query('force') !== 'true')
      refuse(400, 'SCHEMA_NOT_EMPTY', `Schema '${String(each.full_name)}' is not empty.`)
    delete fake.state.schemas[String(each.full_name)]
    return reply({})
  })
  .post('/volumes', async (c) => {
    const fake = c.get('fake')
    const request = await body(c as Ctx, 'Volumes.create')
    const parent = `${String(request.catalog_name)}.${String(request.schema_name)}`.toLowerCase()
    if (!fake.state.schemas[parent]) gone(`Schema '${parent}' does not exist.`)
    const full_name = `${parent}.${String(request.name).toLowerCase()}`
    if (fake.state.volumes[full_name])
      refuse(409, 'ALREADY_EXISTS', `Volume '${full_name}' already exists.`)
    if (request.volume_type === 'MANAGED' && request.storage_location !== undefined)
      invalid('A managed volume has no storage location of its own.')
    const [catalog_name, schema_name, name] = full_name.split('.')
    fake.state.volumes[full_name] = {
      ...request,
      ...born(c as Ctx),
      catalog_name,
      schema_name,
      name,
      full_name,
      storage_location: request.storage_location ?? `s3://managed/${full_name}`,
    }
    return reply(fake.state.volumes[full_name])
  })
  .get('/volumes', (c) => {
    const parent = `${c.req.query('catalog_name')}.${c.req.query('schema_name')}.`.toLowerCase()
    return page(
      c as Ctx,
      'volumes',
      Object.entries(c.get('fake').state.volumes)
        .filter(([name]) => name.startsWith(parent))
        .map(([, each]) => each),
    )
  })
  .get('/volumes/:name', (c) => reply(found(c as Ctx, 'volumes', 'Volume', c.req.param('name'))))
  .patch('/volumes/:name', async (c) => {
    const each = found(c as Ctx, 'volumes', 'Volume', c.req.param('name'))
    Object.assign(each, await body(c as Ctx, 'Volumes.update'), changed(c as Ctx))
    return reply(each)
  })
  .delete('/volumes/:name', (c) => {
    const each = found(c as Ctx, 'volumes', 'Volume', c.req.param('name'))
    delete c.get('fake').state.volumes[String(each.full_name)]
    return nothing()
  })
  .get('/tables', (c) => {
    const parent = `${c.req.query('catalog_name')}.${c.req.query('schema_name')}.`.toLowerCase()
    const tables = Object.entries(c.get('fake').state.tables)
      .filter(([name]) => name.startsWith(parent))
      .map(([, each]) => each)
    const bare = c.req.query('omit_columns') === 'true'
    return page(
      c as Ctx,
      'tables',
      bare ? tables.map(({ columns: _columns, ...each }) => each) : tables,
    )
  })
  .get('/tables/:name', (c) => reply(found(c as Ctx, 'tables', 'Table', c.req.param('name'))))
  .get('/tables/:name/exists', (c) =>
    reply({ table_exists: c.req.param('name').toLowerCase() in c.get('fake').state.tables }),
  )
  .delete('/tables/:name', (c) => {
    const each = found(c as Ctx, 'tables', 'Table', c.req.param('name'))
    delete c.get('fake').state.tables[each.full_name as string]
    return nothing()
  })
  .get('/permissions/:type/:name', (c) =>
    reply(grantsOf(c.get('fake'), c.req.param('type'), c.req.param('name'))),
  )
  .patch('/permissions/:type/:name', async (c) => {
    const fake = c.get('fake')
    const [type, name] = [c.req.param('type').toLowerCase(), c.req.param('name').toLowerCase()]
    securable(fake, type, name)
    const grants = (fake.state.grants[`${type}/${name}`] ??= {})
    for (const change of listOf((await body(c as Ctx, 'Grants.update')).changes)) {
      const who = String(change.principal)
      const held = new Set(grants[who] ?? [])
      for (const each of (change.remove as string[] | undefined) ?? []) held.delete(each)
      for (const each of (change.add as string[] | undefined) ?? []) held.add(each)
      if (held.size > 0) grants[who] = [...held].sort()
      else delete grants[who]
    }
    return reply(grantsOf(fake, type, name))
  })

export const permissions = new Hono<Env>()
  .get('/:type/:id', (c) => reply(aclOf(c as Ctx, c.req.param('type'), c.req.param('id'))))
  .put('/:type/:id', async (c) => setAcl(c as Ctx, c.req.param('type'), c.req.param('id'), true))
  .patch('/:type/:id', async (c) => setAcl(c as Ctx, c.req.param('type'), c.req.param('id'), false))

async function setAcl(c: Ctx, type: string, id: string, replace: boolean): Promise<Response> {
  const fake = c.get('fake')
  aclOf(c, type, id)
  const given = listOf(
    (await body(c, replace ? 'Permissions.set' : 'Permissions.update')).access_control_list,
  ) as Acl[]
  const who = (each: Acl) => each.user_name ?? each.group_name ?? each.service_principal_name
  const kept = replace
    ? []
    : (fake.state.acls[`${type}/${id}`] ?? []).filter(
        (each) => !given.some((one) => who(one) === who(each)),
      )
  const next = [...kept, ...given]
  if (type === 'jobs' || type === 'pipelines') {
    const owners = next.filter((each) => each.permission_level === 'IS_OWNER')
    if (owners.length !== 1 || owners[0]!.group_name !== undefined)
      invalid(
        `The ${type.slice(0, -1)} must have exactly one owner, a user or a service principal.`,
      )
  }
  fake.state.acls[`${type}/${id}`] = next
  return reply(aclOf(c, type, id))
}

function aclOf(c: Ctx, type: string, id: string): Json {
  const { state } = c.get('fake')
  const there =
    type === 'jobs'
      ? state.jobs[id]
      : type === 'pipelines'
        ? state.pipelines[id]
        : Object.values(state.objects).find((each) => each.object_id === id)
  if (!there) gone(`${type} ${id} does not exist.`)
  return {
    object_id: `/${type}/${id}`,
    object_type: type.replace(/s$/, ''),
    access_control_list: [
      ...(state.acls[`${type}/${id}`] ?? []).map(({ permission_level, ...who }) => ({
        ...who,
        all_permissions: [{ permission_level, inherited: false }],
      })),
      {
        group_name: 'admins',
        all_permissions: [
          { permission_level: 'CAN_MANAGE', inherited: true, inherited_from_object: [`/${type}/`] },
        ],
      },
    ],
  }
}

export const statements = new Hono<Env>()
  .post('/', async (c) => {
    const fake = c.get('fake')
    const request = await body(c as Ctx, 'StatementExecution.execute_statement')
    if (!fake.state.warehouses[String(request.warehouse_id)])
      gone(`Warehouse ${String(request.warehouse_id)} does not exist.`)
    if (
      request.wait_timeout !== undefined &&
      !/^(0|[5-9]|[1-4]\d|50)s$/.test(String(request.wait_timeout))
    )
      invalid('wait_timeout must be 0s or between 5s and 50s.')
    const statement_id = crypto.randomUUID()
    let answer: Json
    try {
      const rows = alter(fake, String(request.statement))
      answer = {
        statement_id,
        status: { state: 'SUCCEEDED' },
        manifest: {
          format: 'JSON_ARRAY',
          schema: {
            column_count: rows.columns.length,
            columns: rows.columns.map((name, position) => ({
              name,
              position,
              type_name: 'STRING',
              type_text: 'STRING',
            })),
          },
          total_chunk_count: 1,
          total_row_count: rows.rows.length,
          chunks: [{ chunk_index: 0, row_offset: 0, row_count: rows.rows.length }],
          truncated: false,
        },
        // Without rows there is no data_array at all
        result: {
          chunk_index: 0,
          row_offset: 0,
          row_count: rows.rows.length,
          ...(rows.rows.length > 0 && {
            data_array: rows.rows.map((row) =>
              row.map((cell) => (cell === null ? null : String(cell))),
            ),
          }),
        },
      }
    } catch (error) {
      answer = {
        statement_id,
        status: {
          state: 'FAILED',
          error: { error_code: 'BAD_REQUEST', message: (error as Error).message },
          sql_state: '42000',
        },
      }
    }
    fake.state.statements[statement_id] = answer
    return reply(
      request.wait_timeout === '0s' ? { statement_id, status: { state: 'PENDING' } } : answer,
    )
  })
  .get('/:id', (c) =>
    reply(
      c.get('fake').state.statements[c.req.param('id')] ??
        gone(`The statement ${c.req.param('id')} was not found.`),
    ),
  )
  .post('/:id/cancel', () => reply({}))

export const warehouses = new Hono<Env>()
  .get('/', (c) => reply({ warehouses: Object.values(c.get('fake').state.warehouses) }))
  .get('/:id', (c) =>
    reply(
      c.get('fake').state.warehouses[c.req.param('id')] ??
        gone(`Warehouse ${c.req.param('id')} does not exist.`),
    ),
  )

/** Every second page is empty and still has a next one. */
function page(c: Ctx, field: string, items: Json[]): Response {
  const fake = c.get('fake')
  const token = c.req.query('page_token')
  const most = c.req.query('max_results')
  // Without max_results these lists answer everything at once
  if (most === undefined) return reply(items.length > 0 ? { [field]: items } : {})
  const empty = /^e(\d+)$/.exec(token ?? '')
  if (empty) return reply({ next_page_token: empty[1] })
  const found = pageOf(items, token, Math.min(Number(most) || fake.page, fake.page))
  return reply({
    ...(found.items.length > 0 && { [field]: found.items }),
    ...(found.next !== undefined && { next_page_token: `e${found.next}` }),
  })
}

function found(c: Ctx, kind: 'schemas' | 'volumes' | 'tables', word: string, name: string): Json {
  const plain = name.toLowerCase()
  return (
    c.get('fake').state[kind][plain] ??
    refuse(404, `${word.toUpperCase()}_DOES_NOT_EXIST`, `${word} '${plain}' does not exist.`)
  )
}

function securable(fake: FakeWorld, type: string, name: string): void {
  const known = {
    catalog: fake.state.catalogs,
    schema: fake.state.schemas,
    volume: fake.state.volumes,
    table: fake.state.tables,
  }[type] as Record<string, unknown> | undefined
  if (!known) invalid(`Unknown securable type ${type}.`)
  if (!known![name]) gone(`${type} '${name}' does not exist.`)
}

function grantsOf(fake: FakeWorld, type: string, name: string): Json {
  const plain = name.toLowerCase()
  securable(fake, type.toLowerCase(), plain)
  const held = Object.entries(fake.state.grants[`${type.toLowerCase()}/${plain}`] ?? {})
  return held.length > 0
    ? { privilege_assignments: held.map(([principal, privileges]) => ({ principal, privileges })) }
    : {}
}

function born(c: Ctx): Json {
  const at = c.get('fake').now()
  const by = c.get('user').name
  return {
    owner: by,
    created_at: at,
    created_by: by,
    updated_at: at,
    updated_by: by,
    metastore_id: 'metastore-1',
  }
}

function changed(c: Ctx): Json {
  return { updated_at: c.get('fake').now(), updated_by: c.get('user').name }
}

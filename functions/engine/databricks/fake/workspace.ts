// Workspace files, volume files and secrets of the fake.
import { Hono } from 'hono'
import { body, gone, invalid, pageOf, refuse, reply, workspacePath } from './answer.ts'
import type { Ctx, FakeUser, FakeWorld } from './answer.ts'
import { nextId } from './state.ts'
import type { FakeObject, Json } from './state.ts'

type Env = { Variables: { fake: FakeWorld; user: FakeUser } }

const HEADERS: Record<string, [language: string, header: string]> = {
  py: ['PYTHON', '# Databricks notebook source'],
  sql: ['SQL', '-- Databricks notebook source'],
  scala: ['SCALA', '// Databricks notebook source'],
  r: ['R', '# Databricks notebook source'],
}
const LARGEST = 10 * 1024 * 1024

export const workspace = new Hono<Env>()
  .post('/import', async (c) => {
    const fake = c.get('fake')
    const form = c.req.header('content-type')?.startsWith('multipart/')
    const request = form ? await formOf(c as Ctx) : await body(c as Ctx, 'Workspace.import')
    const content = String(request.content ?? '')
    const bytes = Uint8Array.from(atob(content), (char) => char.charCodeAt(0))
    if (bytes.length > LARGEST)
      refuse(400, 'MAX_NOTEBOOK_SIZE_EXCEEDED', 'The file is larger than 10 MB.')
    const format = String(request.format ?? 'SOURCE')
    let path = workspacePath(String(request.path ?? ''))
    let kind: FakeObject['object_type'] = 'FILE'
    let language: string | undefined
    const text = new TextDecoder().decode(bytes)
    const extension = /\.(py|sql|scala|r)$/i.exec(path)?.[1]?.toLowerCase()
    if (format === 'SOURCE') {
      if (!request.language) invalid('language is required for the format SOURCE.')
      kind = 'NOTEBOOK'
      language = String(request.language)
    } else if (
      format === 'AUTO' &&
      extension &&
      text.split(/\r?\n/, 1)[0] === HEADERS[extension]![1]
    ) {
      // A notebook loses its extension
      kind = 'NOTEBOOK'
      language = HEADERS[extension]![0]
      path = path.slice(0, -extension.length - 1)
    } else if (!['AUTO', 'RAW'].includes(format))
      invalid(`The fake imports SOURCE, AUTO and RAW, not ${format}.`)
    put(
      fake,
      path,
      kind,
      content,
      language,
      request.overwrite === true || request.overwrite === 'true',
    )
    return reply({})
  })
  .post('/mkdirs', async (c) => {
    const fake = c.get('fake')
    const path = workspacePath(String((await body(c as Ctx, 'Workspace.mkdirs')).path))
    const parts = path.split('/').slice(1)
    for (let depth = 1; depth <= parts.length; depth++) {
      const prefix = `/${parts.slice(0, depth).join('/')}`
      const there = fake.state.objects[prefix]
      if (there && there.object_type !== 'DIRECTORY')
        refuse(400, 'RESOURCE_ALREADY_EXISTS', `${prefix} is no folder.`)
      if (!there) fake.state.objects[prefix] = objectOf(fake, prefix, 'DIRECTORY', '')
    }
    return reply({})
  })
  .get('/get-status', (c) => reply(show(objectAt(c.get('fake'), c.req.query('path')))))
  .get('/list', (c) => {
    const fake = c.get('fake')
    const path = workspacePath(c.req.query('path') ?? '/')
    const self = fake.state.objects[path]
    if (path !== '/' && !self) missing(path)
    if (self && self.object_type !== 'DIRECTORY') return reply({ objects: [show(self)] })
    const found = Object.values(fake.state.objects).filter((each) => parentOf(each.path) === path)
    return reply(found.length > 0 ? { objects: found.toReversed().map(show) } : {})
  })
  .post('/delete', async (c) => {
    const fake = c.get('fake')
    const request = await body(c as Ctx, 'Workspace.delete')
    const each = objectAt(fake, String(request.path))
    const inside = Object.keys(fake.state.objects).filter((path) =>
      path.startsWith(`${each.path}/`),
    )
    if (inside.length > 0 && request.recursive !== true)
      refuse(400, 'DIRECTORY_NOT_EMPTY', `Folder ${each.path} is not empty.`)
    for (const path of [...inside, each.path]) delete fake.state.objects[path]
    return reply({})
  })
  .get('/export', (c) => {
    const each = objectAt(c.get('fake'), c.req.query('path'))
    if (each.object_type === 'DIRECTORY') invalid('A folder can only be exported as DBC.')
    let text = each.content
    if (each.object_type === 'NOTEBOOK') {
      const header = Object.values(HEADERS).find(([language]) => language === each.language)![1]
      const source = new TextDecoder().decode(
        Uint8Array.from(atob(each.content), (char) => char.charCodeAt(0)),
      )
      // Comes back with its header, and without the newline at its end
      const whole = (source.startsWith(header) ? source : `${header}\n${source}`).replace(
        /\n+$/,
        '',
      )
      text = btoa(String.fromCharCode(...new TextEncoder().encode(whole)))
    }
    if (c.req.query('direct_download') === 'true')
      return new Response(Uint8Array.from(atob(text), (char) => char.charCodeAt(0)))
    return reply({ content: text, file_type: each.object_type === 'NOTEBOOK' ? 'py' : 'file' })
  })

export const volumeFiles = new Hono<Env>()
  .put('/files/*', async (c) => {
    const fake = c.get('fake')
    const path = volumePath(c as Ctx, '/files')
    const known = volumeOf(fake, path)
    if (!known) gone(`The volume of ${path} does not exist.`)
    if (fake.state.files[path] && c.req.query('overwrite') !== 'true')
      refuse(409, 'ALREADY_EXISTS', 'The file already exists.')
    const bytes = new Uint8Array(await c.req.arrayBuffer())
    let text = ''
    for (let at = 0; at < bytes.length; at += 8192)
      text += String.fromCharCode(...bytes.subarray(at, at + 8192))
    fake.state.files[path] = { content: btoa(text), at: fake.now() }
    return new Response(null, { status: 204 })
  })
  .get('/files/*', (c) => {
    const path = volumePath(c as Ctx, '/files')
    const file = c.get('fake').state.files[path] ?? gone(`The file ${path} does not exist.`)
    return new Response(
      Uint8Array.from(atob(file.content), (char) => char.charCodeAt(0)),
      {
        headers: {
          'content-type': 'application/octet-stream',
          'last-modified': new Date(file.at).toUTCString(),
        },
      },
    )
  })
  .delete('/files/*', (c) => {
    const path = volumePath(c as Ctx, '/files')
    if (!c.get('fake').state.files[path]) gone(`The file ${path} does not exist.`)
    delete c.get('fake').state.files[path]
    return new Response(null, { status: 204 })
  })
  .put('/directories/*', (c) => {
    const fake = c.get('fake')
    const path = volumePath(c as Ctx, '/directories')
    if (!volumeOf(fake, path)) gone(`The volume of ${path} does not exist.`)
    fake.state.directories[path] = true
    return new Response(null, { status: 204 })
  })
  .get('/directories/*', (c) => {
    const fake = c.get('fake')
    const path = volumePath(c as Ctx, '/directories').replace(/\/$/, '')
    const names = new Map<string, Json>()
    for (const [file, { content, at }] of Object.entries(fake.state.files)) {
      if (!file.startsWith(`${path}/`)) continue
      const [name, ...deeper] = file.slice(path.length + 1).split('/')
      names.set(name!, {
        path: `${path}/${name}`,
        name,
        is_directory: deeper.length > 0,
        ...(deeper.length === 0 && { file_size: (content.length / 4) * 3, last_modified: at }),
      })
    }
    if (names.size === 0 && !fake.state.directories[path] && !volumeOf(fake, path))
      gone(`The folder ${path} does not exist.`)
    const page = pageOf(
      [...names.values()],
      c.req.query('page_token'),
      Math.min(Number(c.req.query('page_size') ?? 1000), fake.page),
    )
    return reply({ contents: page.items, ...(page.next && { next_page_token: page.next }) })
  })

export const secrets = new Hono<Env>()
  .post('/scopes/create', async (c) => {
    const { scope } = await body(c as Ctx, 'Secrets.create_scope')
    const scopes = c.get('fake').state.scopes
    if (scopes[String(scope)])
      refuse(400, 'RESOURCE_ALREADY_EXISTS', `Scope ${String(scope)} already exists!`)
    scopes[String(scope)] = {}
    return reply({})
  })
  .get('/scopes/list', (c) => {
    const names = Object.keys(c.get('fake').state.scopes)
    return reply(
      names.length > 0
        ? { scopes: names.map((name) => ({ name, backend_type: 'DATABRICKS' })) }
        : {},
    )
  })
  .post('/scopes/delete', async (c) => {
    const { scope } = await body(c as Ctx, 'Secrets.delete_scope')
    scopeOf(c.get('fake'), scope)
    delete c.get('fake').state.scopes[String(scope)]
    return reply({})
  })
  .post('/put', async (c) => {
    const { scope, key, string_value, bytes_value } = await body(c as Ctx, 'Secrets.put_secret')
    if (!/^[\w.-]{1,128}$/.test(String(key))) invalid('The key is invalid.')
    scopeOf(c.get('fake'), scope)[String(key)] = {
      value: String(bytes_value ?? btoa(String(string_value))),
      at: c.get('fake').now(),
    }
    return reply({})
  })
  .post('/delete', async (c) => {
    const { scope, key } = await body(c as Ctx, 'Secrets.delete_secret')
    const there = scopeOf(c.get('fake'), scope)
    if (!there[String(key)]) gone(`Secret ${String(key)} does not exist.`)
    delete there[String(key)]
    return reply({})
  })
  .get('/list', (c) => {
    // Names and times: never a value
    const found = Object.entries(scopeOf(c.get('fake'), c.req.query('scope'))).map(
      ([key, { at }]) => ({ key, last_updated_timestamp: at }),
    )
    return reply(found.length > 0 ? { secrets: found } : {})
  })
  .get('/get', () => refuse(400, 'BAD_REQUEST', 'Secrets can be read in notebooks only.'))

function scopeOf(fake: FakeWorld, scope: unknown) {
  return fake.state.scopes[String(scope)] ?? gone(`Scope ${String(scope)} does not exist!`)
}

async function formOf(c: Ctx): Promise<Json> {
  const form = await c.req.formData()
  const request: Json = {}
  for (const [key, value] of form.entries()) {
    if (typeof value === 'string') request[key] = value
    else {
      let text = ''
      for (const byte of new Uint8Array(await value.arrayBuffer()))
        text += String.fromCharCode(byte)
      request[key] = btoa(text)
    }
  }
  return request
}

function put(
  fake: FakeWorld,
  path: string,
  kind: FakeObject['object_type'],
  content: string,
  language: string | undefined,
  overwrite: boolean,
): void {
  const parent = parentOf(path)
  if (parent !== '/' && fake.state.objects[parent]?.object_type !== 'DIRECTORY')
    gone(`The parent folder (${parent}) does not exist.`)
  const there = fake.state.objects[path]
  if (there && !overwrite) refuse(400, 'RESOURCE_ALREADY_EXISTS', `Path (${path}) already exists.`)
  if (there && there.object_type !== kind)
    refuse(400, 'INVALID_PARAMETER_VALUE', `Path (${path}) is a ${there.object_type}.`)
  const made = objectOf(fake, path, kind, content, language)
  fake.state.objects[path] = there
    ? { ...made, object_id: there.object_id, created_at: there.created_at }
    : made
}

function objectOf(
  fake: FakeWorld,
  path: string,
  object_type: FakeObject['object_type'],
  content: string,
  language?: string,
): FakeObject {
  const at = fake.now()
  return {
    object_id: nextId(fake.state),
    object_type,
    path,
    content,
    created_at: at,
    modified_at: at,
    ...(language && { language }),
  }
}

function missing(path: string): never {
  return gone(`Path (${path}) doesn't exist.`)
}

function objectAt(fake: FakeWorld, path: string | undefined): FakeObject {
  const plain = workspacePath(path ?? '')
  return fake.state.objects[plain] ?? missing(plain)
}

function show({ content, ...each }: FakeObject): Json {
  return {
    ...each,
    resource_id: each.object_id,
    ...(each.object_type === 'FILE' && { size: atob(content).length }),
  }
}

function parentOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/')) || '/'
}

function volumePath(c: Ctx, route: string): string {
  return decodeURIComponent(c.req.path.slice(c.req.path.indexOf(`${route}/`) + route.length))
}

function volumeOf(fake: FakeWorld, path: string): Json | undefined {
  const [, , catalog, schema, volume] = path.split('/')
  return fake.state.volumes[`${catalog}.${schema}.${volume}`]
}

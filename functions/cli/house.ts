// start, demo, token, migrate, doctor, backup, restore: keeping a LakeForge.
import { createReadStream, createWriteStream } from 'node:fs'
import { open, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable, Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGunzip, createGzip } from 'node:zlib'
import type { Token } from '#core/token.ts'
import type { Finding } from '../status.ts'
import { CliError, problemFrom, usage } from './client.ts'
import { count, paint, plain, table, time } from './io.ts'
import type { Io } from './io.ts'
import { findGroup } from './metadata.ts'
import type { Call, Verb } from './verb.ts'

export const start: Verb = {
  name: 'start',
  takes: '',
  summary: 'Serve the API and the screens, run schedules; until Ctrl-C.',
  about: [
    'LAKEFORGE_AUTH=token lets only tokens in; without it the server listens to this machine alone.',
  ],
  options: {
    host: {
      type: 'string',
      value: 'host',
      help: 'Address to listen on; else HOST, else 127.0.0.1.',
    },
    port: {
      type: 'string',
      value: 'port',
      help: 'Port; 0 takes a free one; else PORT, else 8787.',
    },
  },
  formats: ['text', 'json'],
  least: 0,
  most: 0,
  examples: ['lakeforge start', 'lakeforge start --port 0 --home /srv/lake'],
  async run({ io, options, format, home }) {
    const asked = (await import('../node.ts')).askedToEnd()
    const server = await serve(io, options, home)
    io.out(
      format === 'json'
        ? JSON.stringify({ url: server.url, home: server.home })
        : `LakeForge runs at ${paint(io, 'bold', server.url)} (home ${server.home}). Ctrl-C stops it.`,
    )
    await asked
    await server.close()
    return 0
  },
}

async function serve(io: Io, options: Call['options'], home: string | undefined) {
  const { host } = options
  const port = portOf(options.port)
  const { startServer } = await import('../node.ts')
  return startServer({
    env: io.env,
    ...(home !== undefined && { dir: home }),
    ...(typeof host === 'string' && { host }),
    ...(port !== undefined && { port }),
  })
}

function portOf(given: string | boolean | undefined): number | undefined {
  if (typeof given !== 'string') return undefined
  return /^\d{1,5}$/.test(given) && Number(given) < 65_536
    ? Number(given)
    : usage('--port is a number from 0 to 65535.', 'lakeforge help start')
}

export const demo: Verb = {
  name: 'demo',
  takes: '',
  summary: 'See the main job on real data: three million flights, deliveries, dirty files.',
  about: [
    'The first run takes three deliveries, each as a batch; the second brings a fourth; the third finds nothing new.',
  ],
  options: {
    'no-serve': { type: 'boolean', help: 'End after the report, instead of serving the screens.' },
    host: start.options!.host!,
    port: start.options!.port!,
  },
  formats: ['text', 'json'],
  least: 0,
  most: 0,
  examples: ['lakeforge demo', 'lakeforge demo --no-serve'],
  async run(call) {
    const { io, options, format, home, client } = call
    const say = format === 'json' ? io.err : io.out
    const { readOwner } = await import('#engine/local/home.ts')
    const running = await readOwner(homeOf(call)).catch(() => null)
    const server = options['no-serve'] === true || running ? null : await serve(io, options, home)
    try {
      const api = await client()
      const { runDemo } = await import('#samples/demo.ts')
      const result = await runDemo({
        request: (path, init) => api.raw(path, init),
        dir: join(api.home, 'demo'),
        say,
      })
      if (format === 'json') io.out(JSON.stringify(result))
      const url = server?.url ?? api.url()
      if (url) say(`See it at ${url}`)
      if (server) {
        say('Ctrl-C stops the server.')
        await (await import('../node.ts')).askedToEnd()
      }
      return result.ok ? 0 : 1
    } finally {
      await server?.close()
    }
  },
}

function homeOf({ home, io }: Call): string {
  return home ?? (io.env.LAKEFORGE_HOME || '.lakeforge')
}

const ROLES = 'viewer, operator, editor, approver, admin'

type TokenRow = Omit<Token, 'created_at' | 'expires_at' | 'revoked_at' | 'last_used_at'> &
  Record<'created_at' | 'expires_at' | 'revoked_at' | 'last_used_at', string | null>

export const token: Verb = {
  name: 'token',
  takes: '<create|list|revoke> [name]',
  summary: 'Make, list and revoke API tokens.',
  about: ['A new token is shown once; the store keeps its hash.'],
  options: {
    role: { type: 'string', value: 'role', help: `${ROLES}; of create.` },
    group: { type: 'string', value: 'group', help: 'The role holds for this group alone.' },
    expires: { type: 'string', value: 'time', help: 'ISO time: 2027-01-31T00:00:00Z.' },
    description: { type: 'string', value: 'text', help: 'What it is for.' },
  },
  formats: ['text', 'json'],
  least: 1,
  most: 2,
  examples: ['lakeforge token create ci --role operator', 'lakeforge token revoke ci'],
  async run({ io, args, options, format, client }) {
    const [what, name] = args
    const hint = 'lakeforge help token'
    if (what !== 'create' && what !== 'list' && what !== 'revoke')
      usage(`token has no ${what}: create, list or revoke.`, hint)
    if (what !== 'list' && name === undefined) usage(`token ${what} needs a name.`, hint)
    if (what === 'create' && options.role === undefined)
      usage(`token create needs --role: ${ROLES}.`, hint)
    const api = await client()
    if (what === 'create') {
      const group_id = options.group ? (await findGroup(api, String(options.group))).id : undefined
      const made = await api.post<{ id: string; name: string; token: string }>('/api/tokens', {
        name,
        role: options.role,
        ...(group_id && { group_id }),
        ...(options.expires && { expires_at: options.expires }),
        ...(options.description && { description: options.description }),
      })
      if (format === 'json') io.out(JSON.stringify(made, null, 2))
      else {
        io.out(made.token)
        io.err('This is shown once: keep it where secrets are kept.')
      }
      return 0
    }
    const tokens = await api.all<TokenRow>('/api/tokens')
    if (what === 'list') {
      if (format === 'json') io.out(JSON.stringify(tokens, null, 2))
      else
        for (const line of table(io, tokens, [
          { title: 'name', of: (each) => each.name },
          { title: 'role', of: (each) => each.role },
          { title: 'begins', of: (each) => each.hint },
          { title: 'last used', of: (each) => time(each.last_used_at) || 'never' },
          { title: 'expires', of: (each) => time(each.expires_at) || 'never' },
          { title: 'revoked', of: (each) => time(each.revoked_at) },
        ]))
          io.out(line)
      return 0
    }
    const found = tokens.find((each) => each.name === name)
    if (!found)
      throw new CliError({
        code: 'not_found',
        detail: `There is no token ${name}.`,
        hint: 'lakeforge token list',
      })
    await api.delete(`/api/tokens/${found.id}`)
    if (format === 'json') io.out(JSON.stringify({ revoked: found.name }))
    else io.out(`The token ${found.name} no longer works.`)
    return 0
  },
}

export const migrate: Verb = {
  name: 'migrate',
  takes: '',
  summary: 'Bring the metadata store up to date.',
  about: ['Every other verb does so too when it opens the store; this one does nothing else.'],
  formats: ['text', 'json'],
  least: 0,
  most: 0,
  examples: ['DATABASE_URL=postgres://lake@db.example.com/lake lakeforge migrate'],
  async run({ io, format, client }) {
    const api = await client()
    const applied = api.migrated()
    if (format === 'json') io.out(JSON.stringify({ owner: api.url(), applied: applied ?? [] }))
    else if (applied === null) io.out(`The LakeForge at ${api.url()} has done so at its start.`)
    else if (applied.length === 0) io.out('The store is up to date.')
    else for (const name of applied) io.out(`Applied ${name}.`)
    return 0
  },
}

export const doctor: Verb = {
  name: 'doctor',
  takes: '',
  summary: 'Look for what is missing, and say how to mend it.',
  formats: ['text', 'md', 'json'],
  least: 0,
  most: 0,
  examples: ['lakeforge doctor'],
  async run({ io, format, client }) {
    const findings: Finding[] = []
    try {
      const api = await client()
      const owner = api.url()
      findings.push({
        check: 'owner',
        state: 'ok',
        message: owner
          ? `${owner} owns the home ${api.home}.`
          : `The home ${api.home} is free: no server runs.`,
        fix: null,
      })
      findings.push(...(await api.get<{ findings: Finding[] }>('/api/doctor')).findings)
    } catch (error) {
      // What keeps LakeForge from opening is the first thing to know, in the same shape
      const { problem } = problemFrom(error)
      findings.push({
        check: 'open',
        state: 'failed',
        message: problem.detail,
        fix: problem.hint ?? null,
      })
    }
    const ok = findings.every((finding) => finding.state !== 'failed')
    if (format === 'json') io.out(JSON.stringify({ ok, findings }, null, 2))
    else if (format === 'md')
      for (const line of table(
        io,
        findings,
        [
          { title: 'check', of: (each) => each.check },
          { title: 'state', of: (each) => each.state },
          { title: 'message', of: (each) => each.message },
          { title: 'fix', of: (each) => each.fix ?? '' },
        ],
        'md',
      ))
        io.out(line)
    else
      for (const { check, state, message, fix } of findings) {
        const mark = {
          ok: paint(io, 'green', '✓'),
          warning: paint(io, 'yellow', '!'),
          failed: paint(io, 'red', '✗'),
        }
        io.out(`${mark[state]} ${check}: ${plain(message)}`)
        if (fix) for (const line of fix.split('\n')) io.out(`    ${plain(line)}`)
      }
    return ok ? 0 : 1
  },
}

export const backup: Verb = {
  name: 'backup',
  takes: '<file>',
  summary: 'Write all metadata and logs of one moment to a file.',
  about: [
    'The same for the embedded store and for PostgreSQL; .gz at the end of the name compresses. The tables of the lake are files of their own and not in it.',
  ],
  formats: ['text', 'json'],
  least: 1,
  most: 1,
  examples: ['lakeforge backup lakeforge-2026-01-31.jsonl.gz'],
  async run({ io, args, format, client }) {
    const path = args[0]!
    const api = await client()
    const answer = await api.raw('/api/backup', { method: 'POST' })
    const temp = `${path}.${process.pid}.tmp`
    let end = ''
    const watched = new Transform({
      transform(bytes: Buffer, _encoding, done) {
        end = (end + bytes.toString('latin1')).slice(-200)
        done(null, bytes)
      },
    })
    try {
      const out = createWriteStream(temp, { mode: 0o600, flags: 'wx' })
      const from = Readable.fromWeb(answer.body as never)
      await (path.endsWith('.gz')
        ? pipeline(from, watched, createGzip(), out)
        : pipeline(from, watched, out))
      const rows = /\{"rows":(\d+),"sha256":"[0-9a-f]{64}"\}\n$/.exec(end)?.[1]
      if (rows === undefined)
        throw new CliError({
          code: 'backup_torn',
          detail: 'The backup broke off before its end; no file was written.',
          hint: 'Try again; the owner of the home printed why.',
        })
      const file = await open(temp, 'r+')
      await file.sync().finally(() => file.close())
      await rename(temp, path)
      const { size } = await stat(path)
      if (format === 'json') io.out(JSON.stringify({ file: path, rows: Number(rows), bytes: size }))
      else io.out(`${count(rows)} rows in ${path}, ${count(size)} bytes.`)
      return 0
    } finally {
      await rm(temp, { force: true })
    }
  },
}

export const restore: Verb = {
  name: 'restore',
  takes: '<file>',
  summary: 'Put a backup into an empty store.',
  about: [
    'Refused unless the store is new. Batches that were under way when the backup was made end as cancelled; schedules count from now.',
  ],
  formats: ['text', 'json'],
  least: 1,
  most: 1,
  examples: ['LAKEFORGE_HOME=/srv/new lakeforge restore lakeforge-2026-01-31.jsonl.gz'],
  async run({ io, args, format, client }) {
    const file = createReadStream(args[0]!)
    const magic = await new Promise<Buffer>((resolve, reject) => {
      file.once('error', reject)
      file.once('readable', () => {
        const first = (file.read() as Buffer | null) ?? Buffer.alloc(0)
        file.unshift(first)
        resolve(first)
      })
    })
    const text = magic[0] === 0x1f && magic[1] === 0x8b ? file.pipe(createGunzip()) : file
    const api = await client()
    const answer = await api.raw('/api/restore', {
      method: 'POST',
      headers: { 'content-type': 'application/x-ndjson' },
      body: Readable.toWeb(text) as unknown as ReadableStream,
      duplex: 'half',
    } as RequestInit)
    const { rows } = (await answer.json()) as { rows: number }
    if (format === 'json') io.out(JSON.stringify({ rows }))
    else io.out(`${count(rows)} rows restored. Run \`lakeforge status\` to see them.`)
    return 0
  },
}

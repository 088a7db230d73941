import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { TLSSocket } from 'node:tls'
import { promisify } from 'node:util'
import { afterAll, describe, expect, it } from 'vitest'
import { allowing, openDb } from './db.ts'
import { freshDb, freshServerDb, ON_SERVER } from './testing.ts'

const sql = await freshDb()
const hasty = await freshDb({ transaction_ms: 300 })
afterAll(async () => {
  await sql.end()
  await hasty.end()
})

describe('values', () => {
  it('keeps bigint, numeric, date and timestamp as text, and timestamptz as Date', async () => {
    const [row] = await sql`
      select 9007199254740993::bigint as big, 0.10::numeric as exact, date '2026-02-03' as day,
        timestamp '2026-02-03 04:05:06.123456' as naive, timestamptz '2026-02-03 04:05:06.123+02' as instant`
    expect(row).toEqual({
      big: '9007199254740993',
      exact: '0.10',
      day: '2026-02-03',
      naive: '2026-02-03 04:05:06.123456',
      instant: new Date('2026-02-03T02:05:06.123Z'),
    })
  })

  it('works in UTC', async () => {
    const [row] = await sql`select current_setting('TimeZone') as zone`
    expect(row!.zone).toBe('UTC')
  })

  it('carries a parameter of 3 MB, arrays, JSON, quotes and text in any script', async () => {
    const text = 'ü🙂\'"\\\n'.repeat(300_000)
    const [row] = await sql`
      select ${text}::text as text, ${['a,b', '"c"', '']}::text[] as list, ${sql.json({ a: [1, null] })}::jsonb as json`
    expect(row!.text === text).toBe(true)
    expect(row!.list).toEqual(['a,b', '"c"', ''])
    expect(row!.json).toEqual({ a: [1, null] })
  })

  it('takes JSON as a value or as text, and never encodes it twice', async () => {
    const value = { a: ['"', true, null], b: 'x' }
    const text = JSON.stringify(value)
    const [row] = await sql`
      select ${text}::json as a, ${text}::jsonb as b, ${value as never}::jsonb as c, ${sql.json(value)} as d`
    expect(row).toEqual({ a: value, b: value, c: value, d: value })
    await sql`create table public.documents (a json, b jsonb)`
    await sql`insert into public.documents ${sql({ a: value, b: [value] } as never)}`
    expect(await sql`select * from public.documents`).toEqual([{ a: value, b: [value] }])
  })

  it('names the violated constraint', async () => {
    await sql`create table public.named (a integer constraint named_a_check check (a > 0))`
    await expect(sql`insert into public.named values (0)`).rejects.toMatchObject({
      constraint_name: 'named_a_check',
    })
  })
})

// openssl comes with the server
describe.runIf(ON_SERVER)('TLS (with a server alone)', () => {
  /** A server that agrees to TLS, shows a certificate for localhost and refuses everybody who trusts it (28000). */
  async function shows(work: (port: number, ca: string) => Promise<void>): Promise<void> {
    const dir = await mkdtemp(join(tmpdir(), 'tls-'))
    const [key, cert] = [join(dir, 'key'), join(dir, 'cert')]
    const options =
      'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=localhost -addext subjectAltName=DNS:localhost'
    await promisify(execFile)('openssl', [...options.split(' '), '-keyout', key, '-out', cert])
    const own = { key: await readFile(key), cert: await readFile(cert) }
    const server = createServer((socket) => {
      socket.on('error', () => {})
      socket.once('data', () => {
        socket.write('S', () => {
          const secure = new TLSSocket(socket, { isServer: true, ...own })
          secure.on('error', () => {})
          secure.once('data', () => secure.end(REFUSED))
        })
      })
    })
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
    await work((server.address() as AddressInfo).port, own.cert.toString())
    server.close()
    await rm(dir, { recursive: true })
  }
  const fields = 'SFATAL\0C28000\0Mno\0\0'
  const REFUSED = Buffer.from(`E\0\0\0${String.fromCharCode(fields.length + 4)}${fields}`)
  const refusal = async (url: string, ca?: string): Promise<string> => {
    const sql = openDb(url, { max: 1, ...(ca ? { ca } : {}) })
    const error = await sql`select 1`.then(
      () => ({ code: 'none' }),
      (thrown: { code: string }) => thrown,
    )
    await sql.end({ timeout: 0 })
    return error.code
  }

  it('checks whom it talks to as sslmode says', async () => {
    await shows(async (port, ca) => {
      const at = (host: string, mode: string) => `postgres://u:p@${host}:${port}/d?sslmode=${mode}`
      expect(await refusal(at('localhost', 'verify-full'), ca)).toBe('28000')
      expect(await refusal(at('127.0.0.1', 'require'))).toBe('28000')
      expect(await refusal(at('127.0.0.1', 'verify-ca'), ca)).toBe('28000')
      expect(await refusal(at('127.0.0.1', 'verify-full'), ca)).toBe('ERR_TLS_CERT_ALTNAME_INVALID')
      expect(await refusal(at('localhost', 'verify-full'))).toBe('DEPTH_ZERO_SELF_SIGNED_CERT')
      expect(await refusal(at('localhost', 'verify-ca'))).toBe('DEPTH_ZERO_SELF_SIGNED_CERT')
    })
  })
})

describe('begin', () => {
  it('commits what its function did, and nothing when it throws', async () => {
    await sql`create table public.kept (a integer)`
    await sql.begin(async (tx) => void (await tx`insert into public.kept values (1)`))
    await expect(
      sql.begin(async (tx) => {
        await tx`insert into public.kept values (2)`
        throw new Error('no')
      }),
    ).rejects.toThrow('no')
    expect(await sql`select a from public.kept`).toEqual([{ a: 1 }])
  })

  it('throws at once when the outer client is used inside', async () => {
    const far = async () => void (await sql`select 1`)
    await expect(sql.begin(async () => far())).rejects.toMatchObject({
      code: 'transaction_outer_sql',
    })
    await expect(sql.begin(async () => sql.begin(async () => 1))).rejects.toMatchObject({
      code: 'transaction_outer_sql',
    })
    await expect(sql.begin(async () => sql.unsafe('select 1'))).rejects.toMatchObject({
      code: 'transaction_outer_sql',
    })
  })

  it('lets helpers of the outer client build parts of a query', async () => {
    const rows = await sql.begin((tx) => tx`select ${sql.json([1])}::jsonb as ${sql('list')}`)
    expect(rows).toEqual([{ list: [1] }])
  })

  it('lets other work use the client meanwhile', async () => {
    let release = () => {}
    const gate = new Promise<void>((resolve) => (release = resolve))
    const long = sql.begin(async (tx) => {
      await tx`select 1`
      await gate
    })
    const other = sql`select 2 as two`.execute()
    release()
    await long
    expect(await other).toEqual([{ two: 2 }])
  })

  it('lets what was started inside go on with the outer client after the end', async () => {
    let later: Promise<unknown> = Promise.resolve()
    await sql.begin(async (tx) => {
      later = sleep(50).then(() => sql`select 3 as three`)
      await tx`select 1`
    })
    expect(await later).toEqual([{ three: 3 }])
  })

  it('refuses a query of a transaction that has ended', async () => {
    const escaped = await sql.begin(async (tx) => ({ tx }))
    expect(() => escaped.tx`select 1`).toThrow(
      expect.objectContaining({ code: 'transaction_ended' }),
    )
  })

  it('rolls back to a savepoint and guards inside it too', async () => {
    await sql`create table public.saved (a integer)`
    await sql.begin(async (tx) => {
      await tx`insert into public.saved values (1)`
      await tx
        .savepoint(async (inner) => {
          await inner`insert into public.saved values (2)`
          await sql`select 1`
        })
        .catch((error: { code?: string }) => expect(error.code).toBe('transaction_outer_sql'))
      await tx`insert into public.saved values (3)`
    })
    expect(await sql`select a from public.saved order by a`).toEqual([{ a: 1 }, { a: 3 }])
  })

  it('rolls back a transaction that is too old, and its late queries throw', async () => {
    await hasty`create table public.slow (a integer)`
    let late: unknown
    let ended = () => {}
    const finished = new Promise<void>((resolve) => (ended = resolve))
    const work = hasty.begin(async (tx) => {
      await tx`insert into public.slow values (1)`
      await sleep(500)
      try {
        await tx`insert into public.slow values (2)`
      } catch (error) {
        late = error
      }
      ended()
    })
    await expect(work).rejects.toMatchObject({ code: 'transaction_too_long', status: 503 })
    expect(await hasty`select * from public.slow`).toEqual([])
    await finished
    expect(late).toMatchObject({ code: 'transaction_too_long' })
    expect(await hasty`select * from public.slow`).toEqual([])
  })

  it('lets one that writes in bulk take the time it is given', async () => {
    const slow = () =>
      hasty.begin(async (tx) => {
        await tx`insert into public.slow values (3)`
        await sleep(500)
        return tx`select count(*)::integer as n from public.slow`
      })
    expect(await allowing(10_000, slow)).toEqual([{ n: 1 }])
    await expect(slow()).rejects.toMatchObject({ code: 'transaction_too_long' })
  })

  it.runIf(ON_SERVER)('ends a statement that waits for a lock', async () => {
    const { url, drop } = await freshServerDb()
    const patient = openDb(url)
    const impatient = openDb(url, { transaction_ms: 300 })
    await patient`create table locked (a integer)`
    await patient.begin(async (tx) => {
      await tx`lock table locked`
      await expect(impatient.begin((other) => other`select a from locked`)).rejects.toMatchObject({
        code: expect.stringMatching(/^(57014|transaction_too_long)$/),
      })
    })
    await Promise.all([patient.end(), impatient.end()])
    await drop()
  })
})

// The door to the metadata store: postgres.js over the network, and the guard that both kinds of store put around
// transactions. Knows nothing of files, so that it runs on Workers too; sql/pglite.ts opens the embedded store.
import { AsyncLocalStorage } from 'node:async_hooks'
import type { Duplex } from 'node:stream'
import postgres from 'postgres'
import { fail } from '#core/errors.ts'

/**
 * A client. bigint, numeric, date and timestamp arrive as strings, timestamptz as Date (our columns hold milliseconds). For json
 * and jsonb give a value, or its JSON as text.
 */
export type Sql = postgres.Sql
/** What `sql.begin` hands to its function. */
export type Tx = postgres.TransactionSql
/** Either of them: what a query function asks for that works inside and outside a transaction. */
export type Db = postgres.ISql

export type DbOptions = {
  /** Connections at most; 10 if not given. */
  max?: number
  /** PEM text of the authority that signed the server's certificate, for `sslmode=verify-ca` and `verify-full`. */
  ca?: string
  /** Asked at each new connection where passwords are short-lived tokens. */
  password?: () => string | Promise<string>
  /** Makes the connection's socket, connected, where the usual way won't do. */
  socket?: () => Promise<Duplex>
  /** A transaction older than this is rolled back; 10 000 if not given. */
  transaction_ms?: number
}

/**
 * Opens a client on `postgres://user:password@host:port/database?sslmode=…`; close it with `sql.end()`. Connects at the
 * first query. sslmode: disable, require (encrypted, unverified), verify-ca, verify-full.
 */
export function openDb(url: string, options: DbOptions = {}): Sql {
  const address = new URL(url)
  const mode = address.searchParams.get('sslmode')
  // postgres.js would send what it doesn't know as a server setting, which the server refuses
  for (const key of ['sslmode', 'sslrootcert', 'channel_binding']) address.searchParams.delete(key)
  const client = postgres(address.href, {
    ...CLIENT_OPTIONS,
    max: options.max ?? 10,
    ...(mode && mode !== 'disable' ? { ssl: tls(mode, address.hostname, options.ca) } : {}),
    ...(options.password ? { password: options.password } : {}),
    ...(options.socket ? { socket: options.socket } : {}),
    connection: { application_name: 'lakeforge', TimeZone: 'UTC', DateStyle: 'ISO, MDY' },
  })
  return guard(client, { transaction_ms: options.transaction_ms, statement_timeout: true })
}

/** What every client of ours shares, the embedded one too. */
export const CLIENT_OPTIONS = {
  // date and timestamp have no time zone: a Date would shift them
  types: {
    day: { to: 1082, from: [1082, 1114], serialize: String, parse: (text: string) => text },
    // A string for json or jsonb is JSON text. postgres.js would encode it once more, and store it without a word
    json: {
      to: 3802,
      from: [114, 3802],
      serialize: (value: unknown) => (typeof value === 'string' ? value : JSON.stringify(value)),
      parse: (text: string) => JSON.parse(text) as unknown,
    },
  },
  onnotice: () => {},
} satisfies postgres.Options<Record<string, postgres.PostgresType>>

function tls(
  mode: string,
  hostname: string,
  ca?: string,
): 'require' | 'prefer' | Record<string, unknown> {
  // Without `host` a server that is named by its address could show anybody's certificate for "localhost"
  const host = hostname.replace(/^\[|\]$/g, '')
  if (mode === 'verify-full') return { ca, host, rejectUnauthorized: true }
  if (mode === 'verify-ca') {
    return { ca, host, rejectUnauthorized: true, checkServerIdentity: () => undefined }
  }
  return mode === 'prefer' || mode === 'allow' ? 'prefer' : 'require'
}

type Open = { client: Sql; state: 'open' | 'ended' | 'late'; outer: Open | undefined }

/** The transactions that the running code is inside of, innermost first. */
const inside = new AsyncLocalStorage<Open>()
const patience = new AsyncLocalStorage<number>()

/** Runs `work`, whose transactions may take `ms`: for the few that write in bulk, since everybody else waits for them. */
export function allowing<T>(ms: number, work: () => Promise<T>): Promise<T> {
  return patience.run(ms, work)
}
const unguarded = new WeakMap<Sql, Sql>()

/** The client without the guard: for migrations alone, which may take longer than a transaction of the program. */
export function withoutGuard(sql: Sql): Sql {
  return unguarded.get(sql) ?? sql
}

/**
 * The client with `begin` wrapped. Inside a transaction a query on the outer client throws `transaction_outer_sql` at once: on
 * the embedded store's one connection it would wait for ever, on a pool it would run outside the transaction. The handed `tx`
 * throws once its transaction has ended. A transaction older than `transaction_ms` is rolled back (`transaction_too_long`).
 */
export function guard(
  client: Sql,
  options: {
    transaction_ms?: number | undefined
    statement_timeout: boolean
    end?: () => Promise<void>
  },
): Sql {
  const usual = options.transaction_ms ?? 10_000

  const check = () => {
    for (let open = inside.getStore(); open; open = open.outer) {
      if (open.client === client && open.state === 'open') fail('transaction_outer_sql')
    }
  }

  async function begin(first: unknown, second?: unknown): Promise<unknown> {
    check()
    const limit = Math.max(usual, patience.getStore() ?? 0)
    const how = typeof first === 'string' ? first : ''
    const work = (second ?? first) as (tx: Tx) => unknown
    return client.begin(how, (tx) => {
      const open: Open = { client, state: 'open', outer: inside.getStore() }
      if (options.statement_timeout) {
        // Sent with the first query, without a round trip of its own: ends a statement that waits for a lock
        void tx.unsafe(`set local statement_timeout = ${limit}`).execute()
      }
      return new Promise((resolve, reject) => {
        const timer = setTimeout(() => {
          open.state = 'late'
          reject(failure('transaction_too_long', { seconds: limit / 1000 }))
        }, limit)
        const done = (settle: () => void) => {
          clearTimeout(timer)
          if (open.state === 'open') open.state = 'ended'
          settle()
        }
        inside
          .run(open, async () => {
            const result = work(guardTx(tx, open))
            return Array.isArray(result) ? Promise.all(result) : result
          })
          .then(
            (value) => done(() => resolve(value)),
            (error: unknown) => done(() => reject(error)),
          )
      })
    })
  }

  const guarded = new Proxy(client, {
    apply: (target, self, args: unknown[]) => {
      if (isTemplate(args)) check()
      return Reflect.apply(target as never, self, args)
    },
    get: (target, key) => {
      if (key === 'begin') return begin
      if (key === 'end' && options.end) {
        return async (how?: { timeout?: number }) => {
          await target.end(how)
          await options.end!()
        }
      }
      const value = Reflect.get(target, key) as unknown
      if (!CHECKED.has(key)) return value
      return (...args: unknown[]) => {
        check()
        return Reflect.apply(value as never, target, args)
      }
    },
  })
  unguarded.set(guarded, client)
  return guarded
}

/** What sends something; the rest (`json`, `array`, helpers such as `sql(patch)`) only builds parts of a query. */
const CHECKED = new Set<string | symbol>(['unsafe', 'file', 'reserve', 'notify', 'savepoint'])

function guardTx(tx: Tx, open: Open): Tx {
  // postgres.js would run a late query on a connection that may be inside another transaction by then
  const check = () => {
    if (open.state === 'ended') fail('transaction_ended')
    if (open.state === 'late') fail('transaction_too_long')
  }
  return new Proxy(tx, {
    apply: (target, self, args: unknown[]) => {
      if (isTemplate(args)) check()
      return Reflect.apply(target as never, self, args)
    },
    get: (target, key) => {
      const value = Reflect.get(target, key) as unknown
      if (!CHECKED.has(key)) return value
      return (...args: unknown[]) => {
        check()
        if (key === 'savepoint') {
          const last = args.length - 1
          const work = args[last] as (inner: Tx) => unknown
          args[last] = (inner: Tx) => work(guardTx(inner, open))
        }
        return Reflect.apply(value as never, target, args)
      }
    },
  })
}

function isTemplate(args: unknown[]): boolean {
  return Array.isArray((args[0] as { raw?: unknown } | undefined)?.raw)
}

function failure(...args: Parameters<typeof fail>): unknown {
  try {
    return fail(...args)
  } catch (error) {
    return error
  }
}

// Connections to a PostgreSQL source: read-only sessions whose texts don't depend on the server's settings, and errors that
// say what to do without ever holding the password.
import postgres from 'postgres'
import { LakeForgeError, type ErrorCode } from '#core/errors.ts'
import type { SourceContext } from './extractor.ts'

/** One connection, one session. */
export type Pg = postgres.Sql

export type PgOptions = {
  host: string
  port: number
  database: string
  user: string
  password?: string
  sslmode: 'disable' | 'require' | 'verify-ca' | 'verify-full'
  schemas?: string[]
}

const CONNECT_TIMEOUT_S = 15

/**
 * A session of the source, opened by its first query; `endPg` ends it. Each session has a client of its own, because the
 * driver throws outside of any promise when a query follows the death of a reserved connection.
 * @throws secret_missing
 */
export async function connectPg(context: SourceContext): Promise<Pg> {
  const options = context.source.options as PgOptions
  const password =
    options.password === undefined ? undefined : await context.resolveSecret(options.password)
  return postgres({
    ...(options.host.startsWith('/')
      ? { path: `${options.host}/.s.PGSQL.${options.port}` }
      : { host: options.host, port: options.port }),
    database: options.database,
    username: options.user,
    // Nothing of the process's own environment decides about a source.
    password: password ?? '',
    ssl: tls(options.sslmode),
    max: 1,
    prepare: false,
    fetch_types: false,
    // A session that broke stays broken: its transaction is gone.
    backoff: false,
    connect_timeout: CONNECT_TIMEOUT_S,
    idle_timeout: 0,
    max_lifetime: null,
    onnotice: () => undefined,
    connection: {
      application_name: 'lakeforge',
      client_encoding: 'UTF8',
      TimeZone: 'UTC',
      DateStyle: 'ISO, YMD',
      IntervalStyle: 'iso_8601',
      bytea_output: 'hex',
      extra_float_digits: 3,
      lc_monetary: 'C',
      standard_conforming_strings: 'on',
      default_transaction_read_only: true,
      statement_timeout: 0,
      idle_in_transaction_session_timeout: 0,
    },
  })
}

/** Ends a session at once; the server rolls back what was open. Safe to call twice. */
export async function endPg(sql: Pg | null): Promise<void> {
  await sql?.end({ timeout: 0 }).catch(() => undefined)
}

function tls(mode: PgOptions['sslmode']): false | object {
  switch (mode) {
    case 'disable':
      return false
    case 'require':
      return { rejectUnauthorized: false }
    case 'verify-ca':
      return { rejectUnauthorized: true, checkServerIdentity: () => undefined }
    case 'verify-full':
      return { rejectUnauthorized: true }
  }
}

/** What a failed statement or connection means. PostgreSQL's own text is kept where it names things, not where it quotes values. */
export function pgError(error: unknown, context: SourceContext, object = ''): LakeForgeError {
  if (error instanceof LakeForgeError) return error
  const { host, port, database, user } = context.source.options as PgOptions
  const code = String((error as { code?: unknown } | null)?.code ?? '')
  const text = error instanceof Error ? (error.message.split('\n')[0] ?? '').slice(0, 300) : ''
  const detail = { source: context.source.name, server: `${host}:${port}`, database, user, object }
  // The driver's errors hold the query and its settings: only what is named here goes on.
  const make = (ours: ErrorCode, reason = text) =>
    new LakeForgeError(ours, { ...detail, reason }, { cause: new Error(`${code}: ${text}`) })

  if (
    /^(ENOTFOUND|EAI_AGAIN|ECONNREFUSED|EHOSTUNREACH|ENETUNREACH|ETIMEDOUT|CONNECT_TIMEOUT|ENOENT)$/.test(
      code,
    )
  )
    return make('source_unreachable', code)
  if (/^(28|3D000)/.test(code) || code === 'SASL_SIGNATURE_MISMATCH')
    return make('source_login_failed')
  if (/CERT|SSL|TLS|self.signed/i.test(`${code} ${text}`)) return make('source_tls_failed')
  if (/^(CONNECTION_|ECONNRESET|EPIPE|57P0|53300|08)/.test(code)) return make('source_lost')
  // The session that holds the snapshot is gone.
  if (code === '22023' && text.includes('snapshot')) return make('source_lost')
  if (code === '42501') return make('source_denied')
  if (/^(42P01|3F000)$/.test(code)) return make('source_object_missing')
  return make('source_failed')
}

/** A text literal. `standard_conforming_strings` is on. */
export function literalPg(text: string): string {
  if (text.includes('\0')) throw new LakeForgeError('name_invalid', { name: 'a NUL character' })
  return `'${text.replaceAll("'", "''")}'`
}

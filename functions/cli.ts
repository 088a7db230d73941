#!/usr/bin/env node
// The `lakeforge` command: a client of the API, with the running owner of the home or as its owner for as long as a verb lasts.
import { resolve } from 'node:path'
import { nearest } from '#core/nearest.ts'
import { logs, run, status } from './cli/batches.ts'
import { CliError, openClient, problemFrom } from './cli/client.ts'
import type { Client, Problem } from './cli/client.ts'
import { backup, demo, doctor, migrate, restore, start, token } from './cli/house.ts'
import { openIo, paint, plain } from './cli/io.ts'
import type { Io } from './cli/io.ts'
import { apply, exportVerb, plan } from './cli/metadata.ts'
import { parity } from './cli/parity.ts'
import { replay } from './cli/replay.ts'
import { sql } from './cli/sql.ts'
import { bundle, drift, sync } from './cli/sync.ts'
import { helpOf, overview, parseCall } from './cli/verb.ts'
import type { Verb } from './cli/verb.ts'

/** In the order in which one meets them. */
export const VERBS: readonly Verb[] = [
  start,
  demo,
  apply,
  exportVerb,
  plan,
  run,
  replay,
  parity,
  status,
  logs,
  sql,
  sync,
  drift,
  bundle,
  token,
  migrate,
  doctor,
  backup,
  restore,
]

/** Runs one command line; its exit code: 0 done, 1 failed or refused, 2 the command line is wrong. */
export async function main(argv: readonly string[], io: Io = openIo()): Promise<number> {
  const json = argv.includes('--json')
  const open: Client[] = []
  try {
    const [name, ...rest] = argv
    if (name === undefined || name === '--help' || name === '-h' || (name === 'help' && !rest[0])) {
      io.out(overview(VERBS))
      return 0
    }
    if (name === 'help') {
      io.out(helpOf(verbOf(rest[0]!)))
      return 0
    }
    const verb = verbOf(name)
    const call = parseCall(verb, rest)
    if (call.options.help === true) {
      io.out(helpOf(verb))
      return 0
    }
    const home = call.options.home === undefined ? undefined : resolve(String(call.options.home))
    return await verb.run({
      ...call,
      io,
      home,
      async client() {
        const client = await openClient({ env: io.env, ...(home !== undefined && { dir: home }) })
        open.push(client)
        return client
      },
    })
  } catch (error) {
    const { problem, exit } = problemFrom(error)
    if (json) io.err(JSON.stringify(problem))
    else for (const line of faultLines(io, problem)) io.err(line)
    if (io.env.LAKEFORGE_DEBUG && !(error instanceof CliError)) console.error(error)
    return exit
  } finally {
    for (const client of open) await client.close()
  }
}

/** @throws usage for a verb that isn't there */
function verbOf(name: string): Verb {
  const found = VERBS.find((verb) => verb.name === name)
  if (found) return found
  const near = nearest(
    name,
    VERBS.map((verb) => verb.name),
  )
  throw new CliError(
    {
      code: 'usage',
      detail: `There is no verb ${plain(name)}.${near ? ` Did you mean ${near}?` : ''}`,
      hint: 'lakeforge help',
    },
    2,
  )
}

/** Each fault where it stands, then what happened, what to do, and the code small. */
function faultLines(io: Io, problem: Problem): string[] {
  const faults = (problem.errors ?? []).map((error) => {
    const where = error.file ? `${error.file}:${error.line ?? 1}` : error.path
    return `${where ? `${paint(io, 'bold', plain(where))}: ` : ''}${plain(error.message)}`
  })
  return [
    ...faults,
    paint(io, 'red', plain(problem.detail)),
    ...(problem.hint ? [plain(problem.hint)] : []),
    paint(io, 'dim', `(${[problem.code, problem.request_id].filter(Boolean).join(', ')})`),
  ]
}

if (import.meta.main) {
  // `lakeforge logs last | head` closes the pipe: nothing more is wanted then
  for (const stream of [process.stdout, process.stderr])
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EPIPE') process.exit(0)
      throw error
    })
  const code = await main(process.argv.slice(2))
  // What was printed goes out first, into a pipe as well
  await new Promise<void>((done) => process.stdout.write('', () => done()))
  process.exit(code)
}

// `npm run fake-workspace`: the fake over HTTP, for trying sync by hand and for foreign clients. With `--file` it remembers over
// restarts. `POST /fake/faults` adds a fault, `GET /fake/requests` tells what was asked, `POST /fake/fire/:job_id` is the job's
// schedule.
import { readFile, rename, writeFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { serve } from '@hono/node-server'
import { Hono } from 'hono'
import { Dropped, openFake } from './index.ts'
import type { Fault, FakeOptions, FakeWorkspace } from './index.ts'
import { parseJson, stringifyJson } from '../json.ts'
import type { FakeState } from './state.ts'

/** Serves until closed. `port` 0 takes a free one. */
export async function serveFake(
  options: FakeOptions & { port?: number; file?: string } = {},
): Promise<{ url: string; fake: FakeWorkspace; close(): Promise<void> }> {
  const file = options.file
  const state =
    file === undefined
      ? options.state
      : await readFile(file, 'utf8').then(
          (text) => JSON.parse(text) as FakeState,
          () => undefined,
        )
  const fake = openFake({ now: Date.now, page: 25, ...options, ...(state && { state }) })
  let saving: Promise<void> = Promise.resolve()
  const save = () => {
    if (file === undefined) return
    saving = saving.then(async () => {
      await writeFile(`${file}.new`, JSON.stringify(fake.state))
      await rename(`${file}.new`, file)
    })
  }
  const site = new Hono<{ Bindings: { outgoing?: { destroy(): void } } }>()
    .post('/fake/faults', async (c) => {
      const fault = parseJson(await c.req.text()) as Omit<Fault, 'at'> & { at: number | string }
      fake.faults.push({
        ...fault,
        at: typeof fault.at === 'string' ? new RegExp(fault.at) : fault.at,
      })
      return c.json({ faults: fake.faults.length })
    })
    .get(
      '/fake/requests',
      () =>
        new Response(
          stringifyJson({ requests: fake.requests, unknown_fields: fake.world.unknown }),
        ),
    )
    .post(
      '/fake/fire/:job_id',
      (c) => new Response(`{"run_id":${fake.fire(c.req.param('job_id'))}}`),
    )
    .all('*', async (c) => {
      try {
        const answer = await fake.app.fetch(c.req.raw)
        if (!/^(GET|HEAD)$/.test(c.req.method)) save()
        return answer
      } catch (error) {
        if (!(error instanceof Dropped)) throw error
        // As a broken line looks from the other end
        c.env.outgoing?.destroy()
        return new Response(null, { status: 500 })
      }
    })
  const server = serve({ fetch: site.fetch, hostname: '127.0.0.1', port: options.port ?? 0 })
  await new Promise<void>((done, fail) => {
    server.once('listening', done)
    server.once('error', fail)
  })
  const { port } = server.address() as { port: number }
  return {
    url: `http://127.0.0.1:${port}`,
    fake,
    async close() {
      const closed = new Promise((done) => server.close(done))
      if ('closeAllConnections' in server) server.closeAllConnections()
      await closed
      await saving
    },
  }
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: { port: { type: 'string', default: '8790' }, file: { type: 'string' } },
  })
  const { url } = await serveFake({
    port: Number(values.port),
    ...(values.file !== undefined && { file: values.file }),
  })
  console.log(`Fake workspace ${url}`)
  console.log(`  export DATABRICKS_HOST=${url} DATABRICKS_TOKEN=dapi-fake`)
  console.log('  It proves how LakeForge speaks to a workspace, not what Databricks accepts.')
}

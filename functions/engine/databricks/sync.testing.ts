// For tests: metadata of a shop with a workspace, and syncs of it with a fake one.
import type { Environment } from '#core/environment.ts'
import { openTestApp } from '#functions/testing.ts'
import type { TestApp } from '#functions/testing.ts'
import { openClient } from './client.ts'
import { openFake } from './fake/index.ts'
import type { FakeOptions, FakeWorkspace } from './fake/index.ts'
import { openWorkspace } from './live.ts'
import { NOTEBOOK_HEADER, sha256 } from './specs.ts'
import { applySync } from './sync-apply.ts'
import type { ApplyAnswer, ApplyRequest } from './sync-apply.ts'
import { loadEnvironment } from './sync-input.ts'
import { planSync } from './sync-plan.ts'
import type { SyncPlan } from './sync-plan.ts'

export const SHOP = (more = '') => `
environments:
  - name: prod
    engine: databricks
    host: https://workspace.example
    catalog: main
    prefix: p_
    root: /Volumes/main/p_lakeforge/lake
schedules:
  - { name: nightly, quartz_cron: '0 15 2 * * ?', timezone: Europe/Berlin, misfire: skip, fired_by: workspace }
compute_profiles:
  - { name: small, mode: classic, node_type: i3.xlarge, hourly_cost: 2 }
groups:
  - { name: shop, schedule: nightly, compute_profile: small, owner: data@example.com, tags: [core], budget_month: 5 }
sources:
  - { name: shop, kind: files, options: { root: /Volumes/main/landing/files } }
raw_configs:
  - { name: orders, source: shop, group: shop, object: orders-*.csv, format: csv, read_mode: files, columns: [{ name: id, type: int }, { name: email, type: string }, { name: amount, type: 'decimal(10,2)' }] }
bronze_configs:
  - { target: bronze.orders, raw: shop.orders, description: Orders as they came }
silver_configs:
  - { target: silver.orders, group: shop, from: [bronze.orders], load_type: append, description: "It's one row an order", tags: [pii], column_policies: [{ column: email, pii: true, comment: whom to ask }], grants: [{ principal: analysts, privileges: [SELECT] }], row_filter: amount > 0 }
  - { target: silver.checked, group: shop, from: [silver.orders], load_type: merge, keys: [id] }
gold_configs:
  - { target: gold.turnover, group: shop, query: select sum(amount) as amount from silver.orders }
${more}`

export const FILES: Record<string, string> = {
  'source_to_raw.py': '# Databricks notebook source\nprint("raw")\n',
  'raw_to_bronze.py': '# Databricks notebook source\nprint("bronze")\n',
  'silver_gold_tasks.py': '# Databricks notebook source\nprint("silver")\n',
  'silver_gold_pipeline.py': '# Databricks notebook source\nprint("pipeline")\n',
  'lakeforge/__init__.py': '"""The library."""\n',
  'lakeforge/plan.py': 'PLAN = 1\n',
}

export type Bench = {
  app: TestApp
  fake: FakeWorkspace
  files: Record<string, string>
  environment(): Promise<Environment>
  apply(yaml: string): Promise<void>
  plan(): Promise<SyncPlan>
  sync(
    request?: Omit<ApplyRequest, 'plan_id'> & { plan?: SyncPlan; budget_ms?: number },
  ): Promise<ApplyAnswer>
}

export async function openBench(yaml: string, options: FakeOptions = {}): Promise<Bench> {
  const app = await openTestApp()
  const fake = openFake(options)
  const files = { ...FILES }
  // Waiting costs no time here, but counts: retries come to their end
  let clock = 0
  const workspace = async () => {
    const client = openClient(
      fake.host,
      { kind: 'pat', token: 'dapi-fake' },
      { fetch: fake.fetch, wait: async (ms) => void (clock += ms), now: () => clock },
    )
    return openWorkspace(client, {
      environment_id: (await bench.environment()).id,
      warehouse_id: null,
      catalog: 'main',
    })
  }
  const bench: Bench = {
    app,
    fake,
    files,
    environment: () => loadEnvironment(app.sql, 'prod'),
    async apply(text) {
      const answer = await app.call('POST', '/api/apply', { files: [{ name: 'shop.yaml', text }] })
      if (answer.status !== 200) throw new Error(JSON.stringify(answer.body))
    },
    async plan() {
      return planSync(app.sql, await workspace(), await bench.environment(), {
        files: Object.entries(files).map(([path, text]) => ({
          path,
          sha256: sha256(text),
          notebook: text.startsWith(NOTEBOOK_HEADER),
        })),
        actor: 'tester',
      })
    },
    async sync({ plan, budget_ms, ...request } = {}) {
      const made = plan ?? (await bench.plan())
      return applySync(
        app.sql,
        await workspace(),
        await bench.environment(),
        { plan_id: made.id, ...request },
        {
          actor: 'tester',
          source: async (path) => files[path]!,
          ...(budget_ms !== undefined && { budget_ms }),
        },
      )
    },
  }
  await bench.apply(yaml)
  return bench
}

/** Everything in the fake that a sync has made or touched, without times and ids: two of them can be compared. */
export function picture(fake: FakeWorkspace): unknown {
  const ids = new Map<string, string>()
  for (const each of Object.values(fake.state.pipelines))
    ids.set(each.pipeline_id, String(each.spec.name))
  const text = JSON.stringify({
    jobs: Object.values(fake.state.jobs)
      .map(({ settings, run_as }) => ({ settings, run_as }))
      .sort((a, b) => (String(a.settings.name) < String(b.settings.name) ? -1 : 1)),
    pipelines: Object.values(fake.state.pipelines)
      .map(({ spec, run_as }) => ({ spec, run_as }))
      .sort((a, b) => (String(a.spec.name) < String(b.spec.name) ? -1 : 1)),
    objects: Object.values(fake.state.objects)
      .map(({ path, object_type, content }) => ({ path, object_type, content }))
      .sort((a, b) => (a.path < b.path ? -1 : 1)),
    schemas: Object.keys(fake.state.schemas).sort(),
    volumes: Object.keys(fake.state.volumes).sort(),
    tables: fake.state.tables,
    grants: fake.state.grants,
  })
  return JSON.parse([...ids].reduce((all, [id, name]) => all.replaceAll(id, `<${name}>`), text))
}

/** As the first run of the group would make them. */
export function makeTables(fake: FakeWorkspace): void {
  const column = (name: string, type_text: string, position: number) => ({
    name,
    type_text,
    position,
  })
  const make = (name: string, ...columns: [string, string][]) => {
    fake.state.tables[`main.${name}`] = {
      name: name.split('.')[1],
      full_name: `main.${name}`,
      table_type: 'MANAGED',
      columns: columns.map(([each, type], at) => column(each, type, at)),
    }
  }
  make('p_bronze.orders', ['id', 'int'], ['email', 'string'], ['amount', 'decimal(10,2)'])
  make('p_silver.orders', ['id', 'int'], ['email', 'string'], ['amount', 'decimal(10,2)'])
}

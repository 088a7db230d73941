// A group on two engines: its plan from the beginning, in two lakes of their own, and where the tables differ.
import { cp, mkdir, mkdtemp, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { Plan, PlanStep } from '#core/plan.ts'
import type { Engine } from '#engine/engine.ts'
import { openLocalEngine } from '#engine/local/index.ts'
import { tableDir } from '#engine/local/layout.ts'
import { openSparkEngine } from '#engine/spark/index.ts'
import { compareReports, compareTables, type Difference, type Final } from './compare.ts'
import { runOn } from './run.ts'
import { openTables } from './tables.ts'

export type TableParity = {
  step: string
  table: string
  state: 'equal' | 'differs'
  rows: { local: number | null; spark: number | null }
  hash: { local: string | null; spark: string | null }
  /** Spark's types; null where the engine made no table. */
  schema: { local: string | null; spark: string | null }
  differences: Difference[]
}

export type GroupParity = {
  group: string
  engines: ['local', 'spark']
  state: 'equal' | 'differs'
  tables: TableParity[]
}

export type ParityOptions = {
  /** The lake in which tables of other groups lie. */
  lake: string
  /** LAKEFORGE_HOME: where secrets may lie. */
  home: string
  env?: NodeJS.ProcessEnv
  /** Says which step of which engine ended. */
  told?: (engine: string, report: Final) => void
}

/**
 * Reads the sources once, on the local engine; both engines make their tables from those very files. Nothing of the group's own
 * lake is touched.
 * @throws what an engine can't even start with: spark_missing, …
 */
export async function groupParity(plan: Plan, options: ParityOptions): Promise<GroupParity> {
  const top = await mkdtemp(join(tmpdir(), 'lakeforge-parity-'))
  const root = (engine: string) => join(top, engine)
  const tables = await openTables()
  const { home, env } = options
  const given = env === undefined ? {} : { env }
  const engines: { local: Engine; spark: Engine } = {
    local: openLocalEngine({ root: root('local'), home }),
    spark: openSparkEngine({ root: root('spark'), home, ...given }),
  }
  try {
    for (const engine of ['local', 'spark'])
      await shareInputs(plan.steps, options.lake, root(engine))
    const local = await runOn(engines.local, 'parity', plan.steps, 1)
    for (const report of Object.values(local)) options.told?.('local', report)
    // A source may have other rows a moment later: raw is the same for both.
    await mkdir(root('spark'), { recursive: true })
    await cp(join(root('local'), 'raw'), join(root('spark'), 'raw'), {
      recursive: true,
      preserveTimestamps: true,
    }).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error
    })
    const spark = await runOn(engines.spark, 'parity', plan.steps, 1)
    for (const report of Object.values(spark)) options.told?.('spark', report)
    const found: TableParity[] = []
    for (const step of plan.steps) {
      if (step.zone === 'raw') continue
      for (const table of [step.target, `${step.target}_quarantine`]) {
        const [a, b] = [
          await tables.read(root('local'), table),
          await tables.read(root('spark'), table),
        ]
        const own = table === step.target
        if (!own && a === null && b === null) continue
        const [left, right] = [local[step.key]!, spark[step.key]!]
        const differences = [
          ...(own ? compareReports(left, right) : []),
          ...compareTables(table, a, b),
        ]
        const shape = (content: typeof a) =>
          content && content.columns.map(({ name, type }) => `${name} ${type}`).join(', ')
        found.push({
          step: step.key,
          table,
          state: differences.length === 0 ? 'equal' : 'differs',
          rows: { local: a && a.rows.length, spark: b && b.rows.length },
          hash: own
            ? { local: left.content_hash, spark: right.content_hash }
            : { local: null, spark: null },
          schema: { local: shape(a), spark: shape(b) },
          differences,
        })
      }
    }
    return {
      group: plan.group.name,
      engines: ['local', 'spark'],
      state: found.every(({ state }) => state === 'equal') ? 'equal' : 'differs',
      tables: found,
    }
  } finally {
    tables.close()
    await engines.local.close()
    await engines.spark.close()
    await rm(top, { recursive: true, force: true })
  }
}

/** Tables of other groups are read where they lie. */
async function shareInputs(steps: PlanStep[], lake: string, root: string): Promise<void> {
  const inputs = steps.flatMap((step) =>
    step.zone === 'silver' || step.zone === 'gold' ? step.inputs : [],
  )
  const external = inputs.filter((input) => input.external).map((input) => input.table)
  for (const table of new Set(external)) {
    await mkdir(dirname(tableDir(root, table)), { recursive: true })
    await symlink(tableDir(lake, table), tableDir(root, table))
  }
}

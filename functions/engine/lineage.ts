// Which table and column was made from which, as the plan says it; one row an edge, with the batches that it was seen in.
import type { PlanStep } from '#core/plan.ts'
import type { Tx } from '#sql/db.ts'

type Edge = {
  from_table: string
  from_column: string | null
  to_table: string
  to_column: string | null
}

/** The edges that a step draws: its table to each that it reads, and each column to those that it is made of. */
export function edgesOf(step: PlanStep): Edge[] {
  if (step.zone === 'raw') {
    const name = `${step.source.name}.${step.name}`
    return [
      {
        from_table: `source:${step.source.name}`,
        from_column: null,
        to_table: name,
        to_column: null,
      },
    ]
  }
  if (step.zone === 'bronze') {
    const from_table = step.raw.slice('raw:'.length)
    return [
      { from_table, from_column: null, to_table: step.target, to_column: null },
      ...step.columns
        .filter((column) => column.source_name !== undefined)
        .map((column) => ({
          from_table,
          from_column: column.source_name!,
          to_table: step.target,
          to_column: column.name,
        })),
    ]
  }
  return [
    ...step.inputs.map((input) => ({
      from_table: input.table,
      from_column: null,
      to_table: step.target,
      to_column: null,
    })),
    ...(step.lineage ?? []).flatMap((each) =>
      each.from.map((from) => ({
        from_table: from.table,
        from_column: from.column,
        to_table: step.target,
        to_column: each.column,
      })),
    ),
  ]
}

/** Writes the step's edges; an edge that is there gets this batch as the last one that it was seen in. */
export async function recordLineage(
  tx: Tx,
  batch: { id: string; group_id: string; environment_id: string; plan_hash: string },
  step: PlanStep,
): Promise<void> {
  const edges = edgesOf(step)
  if (edges.length === 0) return
  await tx`
    insert into logging.lineage ${tx(
      edges.map((edge) => ({
        environment_id: batch.environment_id,
        ...edge,
        group_id: batch.group_id,
        plan_hash: batch.plan_hash,
        first_batch_id: batch.id,
        last_batch_id: batch.id,
      })),
    )}
    on conflict on constraint lineage_edge_unique
    do update set last_batch_id = excluded.last_batch_id, plan_hash = excluded.plan_hash
  `
}

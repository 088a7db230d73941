// What a step must remember beside the data before it commits anything: the versions that it reads, so that every attempt
// reads the same, and what is too big for a commit's metadata.
import { readFile } from 'node:fs/promises'
import type { ColumnProfile, RuleResult } from '#engine/engine.ts'
import { mkdirDurable, writeDurable } from './durable.ts'
import { batchDir, recordPath } from './layout.ts'

export type StepRecord = {
  format: 1
  step: string
  plan_hash: string
  /** Under which name the table counts batches: a restored table counts under another, and its batches read anew. */
  app_id: string
  /** Table -> version that this batch's step reads, in every attempt. */
  inputs: Record<string, number>
  /** Table -> id of the Delta table that this was: one made anew under the name is another. */
  input_ids?: Record<string, string>
  profiles: ColumnProfile[]
  /** Rule id -> failing rows, for a report that is made again from the log. */
  samples: Record<string, RuleResult['samples']>
}

/** Null when no attempt of this step came as far as its first commit. */
export async function readRecord(
  root: string,
  batch_id: string,
  step: string,
): Promise<StepRecord | null> {
  try {
    return JSON.parse(await readFile(recordPath(root, batch_id, step), 'utf8')) as StepRecord
  } catch (error) {
    if ((error as { code?: string }).code === 'ENOENT') return null
    throw error
  }
}

/** @throws disk_full */
export async function writeRecord(
  root: string,
  batch_id: string,
  record: StepRecord,
): Promise<void> {
  await mkdirDurable(batchDir(root, batch_id))
  await writeDurable(recordPath(root, batch_id, record.step), JSON.stringify(record))
}

// Metadata as files: apply makes the store say what the files say, in one transaction or not at all; export writes the files.
import { Hono } from 'hono'
import { describeRoute } from 'hono-openapi'
import * as v from 'valibot'
import { fail } from '#core/errors.ts'
import type { FieldError } from '#core/errors.ts'
import { uuidv7 } from '#core/id.ts'
import { changesOf, summaryOf } from '#core/metadata-changes.ts'
import type { Change } from '#core/metadata-changes.ts'
import { draftOf } from '#core/metadata-draft.ts'
import type { Draft } from '#core/metadata-draft.ts'
import { exportState, stateOfGroup, toJson, toYaml } from '#core/metadata-export.ts'
import { readFiles } from '#core/metadata-file.ts'
import type { MetadataFile } from '#core/metadata-file.ts'
import { metadataSchema } from '#core/metadata-schema.ts'
import { checkDraftSql } from './apply-sql.ts'
import { differs, foreignChanges, readSnapshot, writeDraft } from './apply-store.ts'
import type { Snapshot } from './apply-store.ts'
import { allowing } from '#sql/db.ts'
import { need, ROLES, validate } from './request.ts'
import type { Ctx, Env } from './request.ts'
import { write } from './resource.ts'

const ApplyBody = v.strictObject({
  files: v.pipe(
    v.array(
      v.strictObject({
        name: v.pipe(v.string(), v.maxLength(1000, 'At most 1000 characters.')),
        text: v.string(),
      }),
    ),
    v.maxLength(10_000, 'At most 10 000 files.'),
  ),
  dry_run: v.optional(v.boolean(), false),
  prune: v.optional(v.boolean(), false),
  force: v.optional(v.boolean(), false),
})

const ExportQuery = v.object({
  group: v.optional(v.pipe(v.string(), v.maxLength(100))),
  format: v.optional(v.picklist(['yaml', 'json']), 'yaml'),
})

/** Others may write between reading and writing: then all is drafted anew, so many times. */
const ATTEMPTS = 5
const MOVED = Symbol('moved')
/** All rows in one transaction: thousands of tables take longer than a transaction usually may. */
const WRITE_MS = 120_000

export type Applied = {
  dry_run: boolean
  metadata_version: string
  summary: Record<Change['action'], number>
  changes: Change[]
}

export const metadata = new Hono<Env>()
  .post(
    '/apply',
    describeRoute({
      tags: ['metadata'],
      summary:
        'Make the metadata what the files say, in one transaction; a dry run lists the changes',
    }),
    validate('json', ApplyBody),
    async (c) => c.json(await apply(c, c.req.valid('json'))),
  )
  .get(
    '/export',
    describeRoute({
      tags: ['metadata'],
      summary: 'All metadata, or that of one group, as a file for apply',
    }),
    validate('query', ExportQuery),
    async (c) => {
      need(c, 'viewer')
      const { group, format } = c.req.valid('query')
      const { state, version } = await readSnapshot(c.var.sql)
      const found = state.groups.find((row) => row.name === group || row.id === group)
      if (group !== undefined && !found) fail('not_found', { kind: 'group', name: group })
      const set = exportState(found ? stateOfGroup(state, found.id) : state, version)
      c.header('content-type', format === 'json' ? 'application/json' : 'application/yaml')
      return c.body(format === 'json' ? toJson(set) : toYaml(set))
    },
  )
  .get(
    '/metadata.schema.json',
    describeRoute({ tags: ['metadata'], summary: 'JSON Schema of metadata files, for editors' }),
    (c) => c.json(metadataSchema()),
  )

type ApplyOptions = v.InferOutput<typeof ApplyBody>

async function apply(c: Ctx, options: ApplyOptions): Promise<Applied> {
  const read = readFiles(options.files)
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const snapshot = await readSnapshot(c.var.sql)
    const draft = await draftFrom(c, snapshot, read, options)
    const changes = changesOf(draft)
    const open = draft.entries.filter(differs)
    for (const entry of open) needFor(c, entry)
    if (!options.force) await refuseConflicts(c, draft, open)
    const answer = {
      dry_run: options.dry_run,
      summary: summaryOf(changes),
      changes,
    }
    if (open.length === 0) return { ...answer, metadata_version: snapshot.version }
    const version = await allowing(WRITE_MS, () =>
      write(c, options.dry_run, async (tx) => {
        await tx`select set_config('lakeforge.origin', 'apply', true)`
        const [now] = await tx<{ value: string }[]>`
          select value::text from config.metadata_version for update
        `
        if (now!.value !== snapshot.version) return MOVED
        await writeDraft(tx, { ...draft, entries: open })
        const [after] = await tx<{ value: string }[]>`
          select value::text from config.metadata_version
        `
        return after!.value
      }),
    )
    if (version !== MOVED) {
      if (!options.dry_run) c.var.deps.nudge?.()
      return { ...answer, metadata_version: version }
    }
  }
  return fail('store_busy')
}

/** @throws metadata_invalid with everything that is wrong, by file and line */
async function draftFrom(
  c: Ctx,
  { state, applied }: Snapshot,
  read: ReturnType<typeof readFiles>,
  options: { files: MetadataFile[]; prune: boolean },
): Promise<Draft> {
  const asks = state.environments.some((row) => row.is_default && row.rules_need_approval)
  const draft = draftOf(state, read.objects, {
    make_id: uuidv7,
    prunable: options.prune ? applied : new Set(),
    may_approve: !asks || ROLES.indexOf(c.var.actor.role) >= ROLES.indexOf('approver'),
  })
  await checkDraftSql(draft, c.var.deps.dialect)
  const errors = sorted([...read.errors, ...draft.errors], options.files)
  if (errors.length > 0) fail('metadata_invalid', { count: errors.length }, { errors })
  return draft
}

function needFor(c: Ctx, { kind, before, after }: Draft['entries'][number]): void {
  if (kind.key === 'environments') return need(c, 'admin')
  for (const row of [before, after])
    if (row) need(c, 'editor', typeof row.group_id === 'string' ? row.group_id : undefined)
}

async function refuseConflicts(c: Ctx, draft: Draft, open: Draft['entries']): Promise<void> {
  const found = await foreignChanges(c.var.sql, draft, open)
  if (found.length === 0) return
  const errors = found.map(({ entry, actor, changed_at, deleted }): FieldError => {
    const what = `${entry.kind.word} ${entry.label}`
    const when = `${changed_at.toISOString().slice(0, 19)}Z`
    return {
      path: entry.object!.path,
      code: 'apply_conflict',
      message: `${actor} ${deleted ? 'deleted' : 'changed'} the ${what} at ${when}, after this file was exported.`,
      ...entry.object!.place(),
    }
  })
  fail('apply_conflict', { count: errors.length }, { errors })
}

/** By file as given, then by line. */
function sorted(errors: FieldError[], files: readonly MetadataFile[]): FieldError[] {
  const order = new Map(files.map(({ name }, index) => [name, index]))
  const at = (error: FieldError) => order.get(error.file ?? '') ?? files.length
  return errors.toSorted((a, b) => at(a) - at(b) || (a.line ?? 0) - (b.line ?? 0))
}

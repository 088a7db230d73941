// Secrets by reference: which ones the metadata names, what uses them, and whether this installation has them. Never a value.
import { Hono } from 'hono'
import { describeRoute } from 'hono-openapi'
import { describeError } from '#core/errors.ts'
import { need } from './request.ts'
import type { Env } from './request.ts'

export type SecretReference = {
  /** `secret://scope/key`. */
  reference: string
  scope: string
  key: string
  /** The environment variable that may hold it where LakeForge runs. */
  variable: string
  /** Whether it can be read; `unknown` where nothing here may look (Workers). */
  state: 'set' | 'missing' | 'unknown'
  /** Why it can't be read, and what to do. */
  problem: { code: string; message: string; hint: string } | null
  used_by: { table_name: string; id: string; name: string }[]
}

const tags = ['secrets']
const REFERENCE = /secret:\/\/([A-Za-z0-9_.-]{1,128})\/([A-Za-z0-9_.-]{1,128})/g
/** Tables whose rows may name a secret. */
const TABLES = ['source', 'source_group', 'environment', 'raw_config', 'compute_profile'] as const

export const secrets = new Hono<Env>().get(
  '/',
  describeRoute({ tags, summary: 'References to secrets, what uses them, whether they are set' }),
  async (c) => {
    need(c, 'editor')
    const sql = c.var.sql
    const found = new Map<string, SecretReference>()
    for (const table of TABLES) {
      const rows = await sql<{ id: string; name: string; text: string }[]>`
        select id, name, to_jsonb(each)::text as text from config.${sql(table)} each
        where to_jsonb(each)::text like '%secret://%' order by name, id
      `
      for (const { id, name, text } of rows)
        for (const [reference, scope, key] of new Map(
          [...text.matchAll(REFERENCE)].map((match) => [match[0], match]),
        ).values()) {
          const entry = found.get(reference) ?? {
            reference,
            scope: scope!,
            key: key!,
            variable: `LAKEFORGE_SECRET_${scope}_${key}`.toUpperCase().replace(/[^A-Z0-9]/g, '_'),
            state: 'unknown' as const,
            problem: null,
            used_by: [],
          }
          entry.used_by.push({ table_name: table, id, name })
          found.set(reference, entry)
        }
    }
    const items = [...found.values()].sort((a, b) => (a.reference < b.reference ? -1 : 1))
    const has = c.var.deps.hasSecret
    if (has)
      for (const item of items) {
        try {
          await has(item.reference)
          item.state = 'set'
        } catch (error) {
          item.state = 'missing'
          item.problem = describeError(error)
        }
      }
    return c.json({ items, next: null })
  },
)

// API tokens. The token itself is answered once, when it is made; the store keeps its hash.
import { Hono } from 'hono'
import { describeRoute } from 'hono-openapi'
import * as v from 'valibot'
import { fail } from '#core/errors.ts'
import { uuidv7 } from '#core/id.ts'
import { TokenCreate } from '#core/token.ts'
import type { Token } from '#core/token.ts'
import { hashToken, newToken } from './auth.ts'
import { decodeCursor, encodeCursor, need, PageQuery, ROLES, validate } from './request.ts'
import type { Env } from './request.ts'
import { write } from './resource.ts'

const tags = ['tokens']

/** All but the hash. */
const COLUMNS = [
  'id',
  'name',
  'description',
  'owner',
  'tags',
  'hint',
  'role',
  'group_id',
  'expires_at',
  'revoked_at',
  'last_used_at',
  'version',
  'created_at',
  'created_by',
  'updated_at',
  'updated_by',
] as const

export const tokens = new Hono<Env>()
  .get(
    '/',
    describeRoute({ tags, summary: 'List tokens' }),
    validate('query', v.object(PageQuery)),
    async (c) => {
      need(c, 'admin')
      const { after, limit = 50 } = c.req.valid('query')
      const cursor = decodeCursor(after, 2)
      const sql = c.var.sql
      const rows = await sql<Token[]>`
      select ${sql(COLUMNS)} from config.token
      where ${cursor === null ? sql`true` : sql`(name, id) > (${cursor[0]!}, ${cursor[1]!}::uuid)`}
      order by name, id limit ${limit + 1}
    `
      const items = rows.slice(0, limit)
      const last = rows.length > limit ? items.at(-1) : undefined
      return c.json({ items, next: last ? encodeCursor([last.name, last.id]) : null })
    },
  )
  .post(
    '/',
    describeRoute({ tags, summary: 'Create a token; it is shown in this answer alone' }),
    validate('json', TokenCreate),
    async (c) => {
      need(c, 'admin')
      const input = c.req.valid('json')
      if (ROLES.indexOf(input.role) > ROLES.indexOf(c.var.actor.role))
        fail('forbidden', { role: input.role })
      const token = newToken()
      const hash = await hashToken(token)
      const row = await write(c, false, async (tx) => {
        const [made] = await tx<Token[]>`
        insert into config.token ${tx({ ...input, id: uuidv7(), hash, hint: token.slice(0, 9) } as Record<string, unknown>)}
        returning ${tx(COLUMNS)}
      `
        return made!
      })
      return c.json({ ...row, token }, 201)
    },
  )
  .get('/:id', describeRoute({ tags, summary: 'Get a token, without its value' }), async (c) => {
    need(c, 'admin')
    const [row] = await c.var.sql<Token[]>`
      select ${c.var.sql(COLUMNS)} from config.token where id = ${c.req.param('id')}
    `
    return c.json(row ?? fail('not_found', { kind: 'token', name: c.req.param('id') }))
  })
  .delete(
    '/:id',
    describeRoute({ tags, summary: 'Revoke a token: it stops working at once' }),
    async (c) => {
      need(c, 'admin')
      await write(c, false, async (tx) => {
        const done = await tx`
        update config.token set revoked_at = coalesce(revoked_at, now())
        where id = ${c.req.param('id')} returning id
      `
        if (done.length === 0) fail('not_found', { kind: 'token', name: c.req.param('id') })
      })
      return c.body(null, 204)
    },
  )

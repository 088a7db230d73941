import * as v from 'valibot'
import { describe, expect, it } from 'vitest'
import { GroupCreate } from '#core/group.ts'
import { SourceCreate } from '#core/source.ts'
import { extractorOf } from '#core/extractors.ts'
import { ApiError } from '#lib/api/client.ts'
import { createForm, type How } from '#lib/form/form.svelte.ts'
import { defaultsOf, fieldAt, fieldsOf } from '#lib/form/schema.ts'

const group = (more: Partial<Parameters<typeof createForm>[0]> = {}) =>
  createForm({
    schema: GroupCreate,
    initial: { ...defaultsOf(GroupCreate), name: 'shop' },
    save: async () => ({}),
    ...more,
  })

describe('what a form reads of a schema', () => {
  it('finds titles, hints, parts, defaults and secret marks', () => {
    const options = fieldsOf(extractorOf('postgres')!.source_options)
    const of = (key: string) => options.find((field) => field.key === key)!
    expect(of('host')).toMatchObject({ title: 'Host', part: 'text', optional: false })
    expect(of('host').placeholder).toBe('db.example.com')
    expect(of('port')).toMatchObject({ part: 'number', fallback: 5432, optional: true })
    expect(of('password')).toMatchObject({ part: 'secret', secret: true })
    expect(of('sslmode')).toMatchObject({ part: 'choice', fallback: 'require' })
    expect(of('sslmode').options).toContain('verify-full')
    expect(of('schemas').part).toBe('list')
  })

  it('looks through checks over several fields, nullables and nested paths', () => {
    expect(fieldAt(SourceCreate, 'name')).toMatchObject({ title: 'Name', part: 'text' })
    expect(fieldAt(GroupCreate, 'schedule_id')).toMatchObject({ nullable: true, part: 'text' })
    expect(fieldAt(GroupCreate, 'no.such')).toBeUndefined()
    expect(fieldAt(v.object({ a: v.object({ b: v.boolean() }) }), 'a.b')?.part).toBe('switch')
  })
})

describe('a form', () => {
  it('says nothing of a field before it was left, and what to do when it was', () => {
    const form = group({ initial: defaultsOf(GroupCreate) })
    expect(form.error('name')).toBeUndefined()
    form.leave('name')
    expect(form.error('name')).toBe('This is needed.')
    form.set('name', 'Shop!')
    expect(form.error('name')).toContain('a-z')
    form.set('name', 'shop')
    expect(form.error('name')).toBeUndefined()
  })

  it('does not send what is not valid', async () => {
    let sent = 0
    const form = group({ initial: {}, save: async () => sent++ })
    expect(await form.submit()).toBe(false)
    expect(sent).toBe(0)
    expect(form.error('name')).toBe('This is needed.')
  })

  it('sends only what changed, with the version it was read at', async () => {
    const how: How[] = []
    const form = group({
      initial: { ...defaultsOf(GroupCreate), name: 'shop', id: 'x', version: 7 },
      version: 7,
      save: async (_, one) => how.push(one),
    })
    expect(form.dirty).toBe(false)
    form.set('max_parallel', 8)
    expect(form.dirty).toBe(true)
    expect(await form.submit()).toBe(true)
    expect(how).toEqual([{ version: 7, changes: { max_parallel: 8 } }])
    expect(form.dirty).toBe(false)
  })

  it('puts the API’s faults at their fields until these change', async () => {
    const error = new ApiError('validation_failed', 'Some fields are not valid.', 'Mend', 422)
    error.errors = [
      { path: 'name', message: 'Taken.' },
      { path: 'notify.0.url', message: 'Not reachable.' },
    ]
    const form = group({
      save: async () => {
        throw error
      },
    })
    expect(await form.submit()).toBe(false)
    expect(form.error('name')).toBe('Taken.')
    expect(form.error('notify')).toBe('Not reachable.')
    form.set('name', 'store')
    expect(form.error('name')).toBeUndefined()
    expect(form.error('notify')).toBe('Not reachable.')
  })

  it('offers both ways out of a conflict, and overwriting sends our fields alone', async () => {
    const sent: How[] = []
    let there = 3
    const form = group({
      version: 2,
      save: async (_, how) => {
        sent.push(how)
        if (how.version !== null && how.version !== there)
          throw new ApiError('version_conflict', 'Somebody changed this.', 'Read again', 412)
      },
      reload: async () => ({ values: { name: 'theirs' }, version: there }),
    })
    form.set('description', 'mine')
    expect(await form.submit()).toBe(false)
    expect(form.conflict).toBe(true)
    expect(form.failure).toBeNull()
    expect(await form.overwrite()).toBe(true)
    expect(sent.at(-1)).toEqual({ version: null, changes: { description: 'mine' } })
    form.set('description', 'again')
    there = 4
    await form.takeTheirs()
    expect(form.values).toEqual({ name: 'theirs' })
    expect(form.version).toBe(4)
    expect(form.dirty).toBe(false)
  })

  it('knows the fields of options by the kind that is chosen', () => {
    const form = createForm({
      schema: SourceCreate,
      initial: { name: 'a', kind: 'files', options: {} },
      save: async () => ({}),
      inner: { options: (now) => extractorOf(String(now.kind))?.source_options },
    })
    expect(form.inside('options').map((field) => field.key)).toEqual(['root', 'formats'])
    form.leave('options.root')
    expect(form.error('options.root')).toBe('It is missing.')
    form.set('kind', 'postgres')
    expect(form.spec('options.host')?.title).toBe('Host')
  })
})

import { execFileSync } from 'node:child_process'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { PlanRule, SilverStep } from '#core/plan.ts'
import { columns, goldStep, rule, silverStep } from '../testing.ts'
import { type Lake, literalRows, openLake } from './testing.ts'

let lake: Lake
beforeAll(async () => {
  lake = await openLake()
  await lake.append('t.orders', orders, literalRows(orders, "(1, 'new', 1.5)", "(2, 'paid', 2)"))
  await lake.append('t.big', number, 'select range as n from range(200000)')
})
afterAll(async () => await lake.close())

const number = columns('n bigint')
const orders = columns('id int', 'status string', 'amount decimal(10,2)')
const input = (table: string, cols = orders, external = true) => ({
  table,
  columns: cols,
  external,
})
/** Runs for minutes unless it is stopped. */
const SLOW =
  'select count(*) as n from t.big as a cross join t.big as b cross join t.big as c where a.n * b.n % 7 = c.n'

describe('a gold step', () => {
  it('replaces its table with what the query gives, and says what it counted', async () => {
    const step = goldStep(
      'g.totals',
      'select status, sum(amount) as total from t.orders group by status',
      columns('status string', 'total decimal(20,2)'),
      [input('t.orders')],
    )
    const first = await lake.run([step], 1)
    expect(first.state).toBe('succeeded')
    expect(first.steps['gold:g.totals']).toMatchObject({
      state: 'succeeded',
      attempt: 1,
      counts: { rows_read: 2, rows_written: 2 },
      input_versions: { 't.orders': 0 },
      delta_version_before: null,
      delta_version_after: 0,
      error: null,
    })
    await lake.append('t.orders', orders, literalRows(orders, "(3, 'new', 0.25)"))
    const second = await lake.run([step], 2)
    expect(second.steps['gold:g.totals']).toMatchObject({
      input_versions: { 't.orders': 1 },
      delta_version_before: 0,
      delta_version_after: 1,
    })
    expect(await lake.rows('select * from g.totals order by 1', 'g.totals')).toEqual([
      ['new', '1.75'],
      ['paid', '2.00'],
    ])
  })

  it('writes nothing when its inputs and its definition are what they were', async () => {
    const step = goldStep('g.same', 'select id from t.orders', columns('id int'), [
      input('t.orders'),
    ])
    const first = await lake.run([step], 1)
    const again = await lake.run([step], 2)
    expect(again.steps['gold:g.same']).toMatchObject({
      state: 'succeeded',
      counts: {},
      delta_version_before: 0,
      delta_version_after: 0,
      content_hash: first.steps['gold:g.same']!.content_hash,
    })
    const changed = { ...step, query: 'select id from t.orders where id > 1' }
    const third = await lake.run([changed], 3)
    expect(third.steps['gold:g.same']!.delta_version_after).toBe(1)
  })

  it('that runs again for a batch that is committed reports what was reported, and writes nothing', async () => {
    const step = goldStep('g.twice', 'select count(*) as n from t.orders', number, [
      input('t.orders'),
    ])
    const first = await lake.run([step], 7)
    const again = await lake.run([step], 7)
    const { at: _, ...one } = first.steps['gold:g.twice']!
    const { at: __, ...two } = again.steps['gold:g.twice']!
    expect(two).toEqual(one)
    expect((await lake.snapshot('g.twice'))!.version).toBe(0)
  })

  it('of an older batch is skipped, naming the batch that has overtaken it', async () => {
    const step = goldStep('g.old', 'select count(*) as n from t.orders', number, [
      input('t.orders'),
    ])
    await lake.run([step], 5)
    const late = await lake.run([step], 4)
    expect(late.steps['gold:g.old']).toMatchObject({ state: 'skipped', root_cause: 'batch-5' })
    expect(late.state).toBe('succeeded')
  })

  it('keeps the digits of a sum wider than a double', async () => {
    const big = columns('v bigint')
    await lake.append('t.wide', big, literalRows(big, '(9007199254740993)', '(2)'))
    const step = goldStep('g.wide', 'select sum(v) as n from t.wide', number, [
      input('t.wide', big),
    ])
    await lake.run([step], 1)
    expect(await lake.rows('select n from g.wide', 'g.wide')).toEqual([['9007199254740995']])
  })
})

describe('a silver step that appends', () => {
  const step = silverStep(
    's.orders',
    'select id, status, amount, id > 0 as __keep from t.feed',
    orders,
    [input('t.feed')],
    { has_where: true },
  )

  it('takes each row once, batch after batch', async () => {
    await lake.append('t.feed', orders, literalRows(orders, "(1, 'a', 1)", "(-1, 'b', 2)"))
    const first = await lake.run([step], 1)
    expect(first.steps['silver:s.orders']).toMatchObject({
      counts: { rows_read: 2, rows_filtered: 1, rows_written: 1 },
    })
    await lake.append('t.feed', orders, literalRows(orders, "(2, 'c', 3)"))
    await lake.append('t.feed', orders, literalRows(orders, "(3, 'd', 4)"))
    const second = await lake.run([step], 2)
    expect(second.steps['silver:s.orders']).toMatchObject({
      counts: { rows_read: 2, rows_written: 2 },
      input_versions: { 't.feed': 2 },
    })
    const third = await lake.run([step], 3)
    expect(third.steps['silver:s.orders']).toMatchObject({ state: 'succeeded', counts: {} })
    expect((await lake.snapshot('s.orders'))!.version).toBe(1)
    expect(await lake.rows('select id, status from s.orders order by id', 's.orders')).toEqual([
      [1, 'a'],
      [2, 'c'],
      [3, 'd'],
    ])
  })

  it('takes each row once where another writer has put files together in between', async () => {
    const step = silverStep('s.put_together', 'select id, status, amount from t.loose', orders, [
      input('t.loose'),
    ])
    await lake.append('t.loose', orders, literalRows(orders, "(1, 'new', 1)"))
    await lake.run([step], 1)
    await lake.append('t.loose', orders, literalRows(orders, "(2, 'new', 2)"))
    await lake.compact('t.loose')
    await lake.append('t.loose', orders, literalRows(orders, "(3, 'new', 3)"))
    await lake.run([step], 2)
    await lake.compact('t.loose')
    await lake.run([step], 3)
    expect(await lake.rows('select id from s.put_together order by id', 's.put_together')).toEqual([
      [1],
      [2],
      [3],
    ])
  })

  it('stands when its checkpoint fails: that is a warning', async () => {
    const feed = columns('id int')
    const read = silverStep('s.point', 'select id from t.point', feed, [input('t.point', feed)], {
      properties: { 'delta.checkpointInterval': '1' },
    })
    await lake.append('t.point', feed, literalRows(feed, '(1)'))
    await lake.run([read], 1)
    const { mkdir } = await import('node:fs/promises')
    await mkdir(`${lake.root}/tables/s/point/_delta_log/_last_checkpoint`)
    await lake.append('t.point', feed, literalRows(feed, '(2)'))
    const done = (await lake.run([read], 2)).steps['silver:s.point']!
    expect(done).toMatchObject({ state: 'succeeded', delta_version_after: 1 })
    expect(done.warnings).toEqual([
      expect.stringMatching(
        /^s\.point is committed, but its checkpoint or its cleaning could not be done: /,
      ),
    ])
    expect(await lake.rows('select id from s.point order by 1', 's.point')).toEqual([[1], [2]])
  })

  it('refuses an input that went back behind what it has consumed', async () => {
    const feed = columns('id int')
    await lake.append('t.gone', feed, literalRows(feed, '(1)'))
    await lake.append('t.gone', feed, literalRows(feed, '(2)'))
    const read = silverStep('s.gone', 'select id from t.gone', feed, [input('t.gone', feed)])
    await lake.run([read], 1)
    const { rm } = await import('node:fs/promises')
    await rm(`${lake.root}/tables/t/gone`, { recursive: true })
    await lake.append('t.gone', feed, literalRows(feed, '(3)'))
    const after = await lake.run([read], 2)
    expect(after.steps['silver:s.gone']!.error).toMatchObject({ code: 'input_replaced' })
  })

  it('refuses an input that was made anew and has grown past the version that was consumed', async () => {
    const feed = columns('id int')
    const again = async (...ids: string[]) => {
      for (const id of ids) await lake.append('t.anew', feed, literalRows(feed, `(${id})`))
    }
    await again('1', '2')
    const read = silverStep('s.anew', 'select id from t.anew', feed, [input('t.anew', feed)])
    const whole = goldStep('g.anew', 'select id from t.anew', feed, [input('t.anew', feed)])
    await lake.run([read, whole], 1)
    const { rm } = await import('node:fs/promises')
    await rm(`${lake.root}/tables/t/anew`, { recursive: true })
    await again('3', '4')
    const level = await lake.run([read, whole], 2)
    expect(level.steps['silver:s.anew']!.error).toMatchObject({
      code: 'input_replaced',
      message: '"t.anew" was made anew since "s.anew" has read it.',
    })
    // What reads it whole reads it as it is.
    expect(level.steps['gold:g.anew']!.state).toBe('succeeded')
    expect(await lake.rows('select id from g.anew order by 1', 'g.anew')).toEqual([[3], [4]])
    await again('5')
    const past = await lake.run([read], 3)
    expect(past.steps['silver:s.anew']!.error).toMatchObject({ code: 'input_replaced' })
    expect(await lake.rows('select id from s.anew order by 1', 's.anew')).toEqual([[1], [2]])
  })
})

describe('the files of a table', () => {
  const feed = columns('id int', 'place string')
  const three = async (name: string, properties: Record<string, string>) => {
    const read = {
      ...goldStep(`g.${name}`, `select id, place from t.${name}`, feed, [input(`t.${name}`, feed)]),
      properties: { 'delta.checkpointInterval': '1', ...properties },
    }
    for (const seq of [1, 2, 3]) {
      await lake.append(`t.${name}`, feed, literalRows(feed, `(${seq}, 'x')`))
      expect((await lake.run([read], seq)).state).toBe('succeeded')
    }
    const { readdir } = await import('node:fs/promises')
    const names = await readdir(`${lake.root}/tables/g/${name}`)
    expect(await lake.rows(`select count(*)::int from g.${name}`, `g.${name}`)).toEqual([[3]])
    return names.filter((file) => file.endsWith('.parquet')).length
  }

  it('stay for a week after they left it, or as long as the table says, and then go', async () => {
    expect(await three('kept', {})).toBe(3)
    const none = { 'delta.deletedFileRetentionDuration': 'interval 0 days' }
    expect(await three('cleaned', none)).toBe(1)
    expect(await three('unclear', { 'delta.deletedFileRetentionDuration': 'for ever' })).toBe(3)
  })

  it('hold rows sorted by cluster_by', async () => {
    const many =
      'select (range * 7919 % 300000)::int as id, null::varchar as place from range(300000)'
    await lake.append('t.mixed', feed, many)
    const read = silverStep('s.sorted', 'select id, place from t.mixed', feed, [
      input('t.mixed', feed),
    ])
    const spread = async (target: string) => {
      const { files } = (await lake.snapshot(target))!
      const paths = files.map(
        (file) => `'${lake.root}/tables/${target.replace('.', '/')}/${file.path}'`,
      )
      const [[widest]] = (await lake.rows(
        `select max(stats_max_value::int - stats_min_value::int) from parquet_metadata([${paths.join()}])
          where path_in_schema = 'id'`,
      )) as [[number]]
      return widest
    }
    await lake.run(
      [
        read,
        {
          ...read,
          key: 'silver:s.sorted2',
          config_id: 'sorted2',
          target: 's.sorted2',
          cluster_by: ['id'],
        },
      ],
      1,
    )
    expect(await spread('s.sorted')).toBeGreaterThan(290_000)
    expect(await spread('s.sorted2')).toBeLessThan(200_000)
    expect(await lake.rows('select count(distinct id)::int from s.sorted2', 's.sorted2')).toEqual([
      [300_000],
    ])
  })
})

describe('rules', () => {
  const people = columns('id int', 'name string', 'age int')
  const rows = literalRows(
    people,
    "(1, 'a', 30)",
    '(2, null, 30)',
    "(3, 'c', -1)",
    '(4, null, -1)',
    "(5, 'e', 200)",
    "(6, 'f', 7)",
  )
  const read = (target: string, rules: PlanRule[], more: Partial<SilverStep> = {}) =>
    silverStep(
      target,
      'select id, name, age, id <> 6 as __keep from t.people',
      people,
      [input('t.people', people)],
      { has_where: true, rules, ...more },
    )
  beforeAll(async () => {
    await lake.append('t.people', people, rows)
  })

  it('send rows to the quarantine with all that is wrong, drop them, or warn; each row counts once', async () => {
    const step = read('s.people', [
      rule('named', 'not_null', ['name'], 'quarantine'),
      rule('grown', 'range', ['age'], 'drop', { min: 0 }),
      rule('young', 'range', ['age'], 'warn', { max: 100 }),
    ])
    const { steps } = await lake.run([step], 1)
    const report = steps[step.key]!
    expect(report).toMatchObject({
      state: 'succeeded',
      counts: {
        rows_read: 6,
        rows_filtered: 1,
        rows_quarantined: 2,
        rows_dropped: 1,
        rows_written: 2,
      },
    })
    expect(report.rules.map((r) => [r.name, r.rows_checked, r.rows_failed, r.applied])).toEqual([
      ['named', 5, 2, true],
      ['grown', 5, 2, true],
      ['young', 5, 1, true],
    ])
    expect(await lake.rows('select id from s.people order by id', 's.people')).toEqual([[1], [5]])
    expect(
      await lake.rows(
        "select id, list_transform(_errors, lambda e: e.rule || ' ' || e.action || ' ' || e.batch_id) from s.people_quarantine order by id",
        's.people_quarantine',
      ),
    ).toEqual([
      [2, ['named quarantine batch-1']],
      [4, ['named quarantine batch-1', 'grown drop batch-1']],
    ])
  })

  it('that fail commit nothing, and the rows go to the next batch', async () => {
    const strict = read('s.strict', [
      rule('named', 'not_null', ['name'], 'quarantine'),
      rule('grown', 'range', ['age'], 'fail', { min: 0 }),
    ])
    const first = await lake.run([strict], 1)
    expect(first.steps[strict.key]).toMatchObject({
      state: 'failed',
      error: { code: 'rule_failed' },
      rules: [{ name: 'named' }, { name: 'grown', rows_failed: 2, applied: true }],
    })
    expect(await lake.snapshot('s.strict')).toBe(null)
    expect(await lake.snapshot('s.strict_quarantine')).toBe(null)
    const mended = { ...strict, rules: strict.rules.slice(0, 1) }
    const second = await lake.run([mended], 2)
    expect(second.steps[strict.key]!.counts).toMatchObject({ rows_read: 6, rows_written: 3 })
  })

  it('see a duplicate in the table that an append would make', async () => {
    const ids = columns('id int')
    await lake.append('t.ids', ids, literalRows(ids, '(1)', '(2)', '(2)'))
    const step = silverStep('s.ids', 'select id from t.ids', ids, [input('t.ids', ids)], {
      rules: [rule('once', 'unique', ['id'], 'quarantine')],
    })
    expect((await lake.run([step], 1)).steps[step.key]!.counts).toMatchObject({
      rows_quarantined: 2,
      rows_written: 1,
    })
    await lake.append('t.ids', ids, literalRows(ids, '(1)', '(3)'))
    expect((await lake.run([step], 2)).steps[step.key]!.counts).toMatchObject({
      rows_quarantined: 1,
      rows_written: 1,
    })
    expect(await lake.rows('select id from s.ids order by id', 's.ids')).toEqual([[1], [3]])
  })

  it('look into another table at the version that the batch records', async () => {
    const ids = columns('id int')
    await lake.append('t.known', ids, literalRows(ids, '(1)', '(3)'))
    const step = goldStep(
      'g.referring',
      'select id from t.people',
      ids,
      [input('t.people', people)],
      {
        rules: [
          rule('known', 'referential', ['id'], 'drop', { table: 't.known', columns: ['id'] }),
        ],
      },
    )
    const { steps } = await lake.run([step], 1)
    expect(steps[step.key]).toMatchObject({
      counts: { rows_dropped: 4, rows_written: 2 },
      input_versions: { 't.people': 0, 't.known': 0 },
    })
    expect((await lake.run([step], 2)).steps[step.key]!.counts).toEqual({})
    await lake.append('t.known', ids, literalRows(ids, '(2)'))
    expect((await lake.run([step], 3)).steps[step.key]!.counts.rows_written).toBe(3)
  })
})

describe('what goes wrong', () => {
  it('is said with a code and a hint, and skips what is below', async () => {
    const bad = goldStep('g.bad', 'select nope as n from t.orders', number, [input('t.orders')])
    const below = goldStep(
      'g.below',
      'select n from g.bad',
      number,
      [input('g.bad', number, false)],
      {
        depends_on: [bad.key],
      },
    )
    const { state, steps } = await lake.run([bad, below], 1)
    expect(state).toBe('failed')
    expect(steps[bad.key]!.error!.hint).not.toBe('')
    expect(steps[below.key]).toMatchObject({ state: 'skipped', root_cause: bad.key })
  })

  it('never tells a value of a row', async () => {
    const text = columns('s string')
    await lake.append('t.secret', text, literalRows(text, "('hunter2')"))
    const bad = goldStep('g.cast', 'select cast(s as bigint) as n from t.secret', number, [
      input('t.secret', text),
    ])
    const { steps, reports } = await lake.run([bad], 1)
    expect(steps[bad.key]!.state).toBe('failed')
    expect(JSON.stringify(reports)).not.toContain('hunter2')
  })

  it('a table of another group that is not there yet is named', async () => {
    const step = goldStep('g.none', 'select id from t.nowhere', columns('id int'), [
      input('t.nowhere', columns('id int')),
    ])
    const { steps } = await lake.run([step], 1)
    expect(steps[step.key]!.error).toMatchObject({ code: 'input_missing' })
  })

  it('a step out of time is stopped and fails', async () => {
    const step = goldStep('g.slow', SLOW, number, [input('t.big', number)], { timeout_s: 1 })
    const { steps } = await lake.run([step], 1)
    expect(steps[step.key]).toMatchObject({ state: 'failed', error: { code: 'step_timeout' } })
    expect(await lake.snapshot('g.slow')).toBe(null)
  })

  it('a step that takes long says how far it is, at least every two seconds', async () => {
    await lake.append('t.many', number, 'select range as n from range(3000000)')
    const hard = 'select max(sha2(repeat(cast(n as string), 300), 256)) as n from t.many'
    const slow = goldStep('g.told', hard, columns('n string'), [input('t.many', number)], {
      timeout_s: 9,
    })
    const done = await lake.run([slow], 1)
    const told = done.reports.flatMap((report) =>
      report.kind === 'event' && report.progress ? [report] : [],
    )
    expect(told.length).toBeGreaterThanOrEqual(2)
    expect(told[0]).toMatchObject({
      step: 'gold:g.told',
      level: 'debug',
      progress: { unit: 'rows' },
    })
  })

  it('a cancelled batch ends soon, with nothing written', async () => {
    const slow = goldStep('g.slow', SLOW, number, [input('t.big', number)])
    const after = goldStep(
      'g.after',
      'select n from g.slow',
      number,
      [input('g.slow', number, false)],
      {
        depends_on: [slow.key],
      },
    )
    const { state, steps } = await lake.run([slow, after], 1, {
      during(report, handle) {
        if (report.kind === 'step' && report.state === 'running')
          setTimeout(() => void lake.engine.cancel(handle), 300)
      },
    })
    expect(state).toBe('cancelled')
    expect(steps[slow.key]!.state).toBe('cancelled')
    expect(steps[after.key]!.state).toBe('cancelled')
    expect(await lake.snapshot('g.slow')).toBe(null)
  })

  it.skipIf(process.platform !== 'linux')(
    'two steps whose process dies under them end well without retries of their own',
    async () => {
      const { readFile } = await import('node:fs/promises')
      const long = (target: string) =>
        goldStep(
          target,
          'select count(*) as n from t.big as a cross join t.big as b where a.n * b.n % 7 = 3 and a.n < 4000',
          number,
          [input('t.big', number)],
        )
      const started: string[] = []
      let killed: Promise<void> | undefined
      const done = await lake.run([long('g.fell1'), long('g.fell2')], 1, {
        during(report) {
          if (report.kind !== 'step' || report.state !== 'running') return
          started.push(`${report.step} ${report.attempt}`)
          if (started.length !== 2) return
          killed = readFile(`/proc/${process.pid}/task/${process.pid}/children`, 'utf8').then(
            (children) =>
              process.kill(Number(children.trim().split(' ').at(-1)), 'SIGKILL') && undefined,
          )
        },
      })
      await killed
      expect(done.state).toBe('succeeded')
      expect(started).toEqual([
        'gold:g.fell1 1',
        'gold:g.fell2 1',
        'gold:g.fell1 2',
        'gold:g.fell2 2',
      ])
    },
  )

  it('a run that is let go is dead, and its batch can be started anew', async () => {
    const slow = goldStep('g.let_go', SLOW, number, [input('t.big', number)])
    const children = () =>
      execFileSync('ps', ['-o', 'args=', '--ppid', String(process.pid)])
        .toString()
        .split('\n')
        .filter((line) => line.includes('local/child.ts')).length
    const before = children()
    const handle = await lake.engine.start({
      plan: {
        format: 1,
        group: { id: 'g', name: 'g', max_parallel: 1, on_failure: 'stop' },
        steps: [slow],
      },
      input: {
        format: 1,
        batch_id: 'let-go',
        plan_hash: 'hash',
        group: 'g',
        environment: 'test',
        seq: '1',
        batch_time: '2026-01-01T00:00:00.000Z',
        watermarks: {},
      },
      attempt: 1,
    })
    await lake.engine.poll(handle, 30_000)
    expect(children()).toBe(before + 1)
    await lake.engine.abandon(handle)
    expect(children()).toBe(before)
    await expect(lake.engine.poll(handle, 0)).rejects.toMatchObject({ code: 'run_lost' })
    await lake.engine.abandon(handle)
    const quick = { ...slow, query: 'select count(*) as n from t.big' }
    expect((await lake.run([quick], 1, { batch_id: 'let-go' })).state).toBe('succeeded')
  })

  it('a run that nobody knows is said to be lost', async () => {
    await expect(lake.engine.poll('{"batch_id":"b","run_id":"r"}', 0)).rejects.toMatchObject({
      code: 'run_lost',
    })
    await expect(lake.engine.poll('nonsense', 0)).rejects.toMatchObject({ code: 'run_lost' })
  })
})

describe('a query', () => {
  it('reads a table as it stood at a version', async () => {
    const at = (version: number | null) =>
      lake.engine.query({
        environment: 'test',
        sql: 'select count(*) as n from t.orders',
        tables: [{ table: 't.orders', version }],
        limit: 10,
        timeout_ms: 20_000,
      })
    const version = await lake.append('t.orders', orders, literalRows(orders, "(9, 'x', 1)"))
    const [before, after] = [await at(version - 1), await at(null)]
    expect(Number(after.rows[0]![0])).toBe(Number(before.rows[0]![0]) + 1)
    expect(after.versions).toEqual({ 't.orders': version })
    expect(await at(version)).toEqual(after)
  })

  const ask = (sql: string, timeout_ms = 20_000, tables = ['t.big']) =>
    lake.engine.query({
      environment: 'test',
      sql,
      tables: tables.map((table) => ({ table, version: null })),
      limit: 2,
      timeout_ms,
    })

  it('says when there is more than the limit', async () => {
    expect(await ask('select n from t.big where n < 3')).toMatchObject({ truncated: true })
    expect(await ask('select n from t.big where n < 2')).toMatchObject({ truncated: false })
  })

  it('ends when its time is up, and the next one works', async () => {
    await expect(ask(SLOW, 300)).rejects.toMatchObject({ code: 'query_timeout' })
    expect((await ask('select 1 as one')).rows).toEqual([[1]])
  })

  it.each([
    ['reads a file of the machine', "select * from read_csv('/etc/passwd')", 'file_denied'],
    ['writes', "select 1) to '/tmp/x.csv' --", 'sql_failed'],
    ['changes a setting', "set memory_limit = '1GB'", 'sql_failed'],
    ['runs two statements', 'select 1); select (2', 'value_invalid'],
  ])('that %s is refused', async (_, sql, code) => {
    await expect(ask(sql)).rejects.toMatchObject({ code })
  })

  it('may end in a comment', async () => {
    expect((await ask('select 1 as one -- the end')).rows).toEqual([[1]])
  })

  it('of a table that is not there names it', async () => {
    await expect(ask('select 1', 20_000, ['t.nowhere'])).rejects.toMatchObject({
      code: 'table_missing',
    })
  })
})

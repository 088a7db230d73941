import { existsSync, readFileSync } from 'node:fs'
import { Cron as Croner } from 'croner'
import { describe, expect, it } from 'vitest'
import { clockChanges, describeCron, nextRuns, parseCron } from './cron.ts'
import { LakeForgeError } from './errors.ts'

type Vector = { expression: string; timezone: string; start: string; next: string[] }
type Invalid = { expression: string; invalid: true }
type Fact = (Vector | Invalid) & { class?: string; quirk?: true }

const read = (path: string) => JSON.parse(readFileSync(path, 'utf8')) as Fact[]

/** What Quartz 2.3.2 answers (its getNextValidTimeAfter, asked repeatedly); at most four times each. */
const FACTS = read(`${import.meta.dirname}/cron-facts.json`)

/** A larger set that lies beside some checkouts: at most ten times each, none at or after its end. */
const SHARED = `${import.meta.dirname}/../../../shared/vectors/quartz-cron.json`
const SHARED_END = Date.UTC(2099, 11, 30)
/** Valid expressions that Quartz itself gets wrong: any sane answer will do. */
const QUARTZ_ERRS = ['quirk-nW-overflow', 'quirk-gap-subhour']

const text = (at: Date) => at.toISOString().replace('.000Z', 'Z')
const next = (expression: string, timezone: string, start: string, count = 4) =>
  nextRuns(parseCron(expression), timezone, new Date(start), count)
const refusal = (work: () => unknown): LakeForgeError => {
  try {
    work()
  } catch (error) {
    if (error instanceof LakeForgeError) return error
    throw error
  }
  throw new Error('nothing was refused')
}

function check(fact: Fact, count: number): void {
  const started = performance.now()
  let answer: string[] | 'invalid'
  try {
    const { timezone = 'UTC', start = '2026-01-01T00:00:00Z' } = fact as Partial<Vector>
    answer = next(fact.expression, timezone, start, count)
      .filter((at) => at.getTime() < SHARED_END)
      .map(text)
  } catch (error) {
    if (!(error instanceof LakeForgeError) || error.code !== 'cron_invalid') throw error
    answer = 'invalid'
  }
  expect(performance.now() - started).toBeLessThan(1000)
  if (fact.quirk && answer === 'invalid') return
  if (QUARTZ_ERRS.includes(fact.class ?? '')) return
  expect(answer).toEqual('invalid' in fact ? 'invalid' : fact.next)
}

describe('what Quartz answers', () => {
  it.each(FACTS)('$expression in $timezone after $start', (fact) => check(fact, 4))
})

describe.runIf(existsSync(SHARED))('what Quartz answers, the larger set', () => {
  it.each(existsSync(SHARED) ? read(SHARED) : [])(
    '$class: $expression in $timezone after $start',
    (fact) => check(fact, 10),
  )
})

describe('an expression that is refused', () => {
  it.each([
    ['61 0 6 * * ?', 'seconds', '61', '0-59'],
    ['0 0 6 ? * MONDAY', 'day of week', 'MONDAY', 'SUN-SAT'],
    ['0 0 6 ? * MON-FRI/2', 'day of week', 'MON-FRI/2', '6#3'],
    ['0 0 6 15W,20 * ?', 'day of month', '15W,20', '15W'],
    ['0 0 6 1,,2 * ?', 'day of month', '1,,2', '1-31'],
    ['0 */0 6 * * ?', 'minutes', '*/0', 'steps'],
    ['0 0 6 * * ? 2101', 'year', '2101', '1970-2099'],
    ['0 0 6 1 * MON', 'day of month and day of week', '1 MON', 'exactly one of the two is ?'],
    ['', 'number of fields', '0', 'six or seven'],
    ['0 0 12 * * ? 2027 *', 'number of fields', '8', 'six or seven'],
    [`0 0 ${'1'.repeat(9999)} * * ?`, 'hours', '1'.repeat(100), '0-23'],
  ])('%.40s names %s, its value and what is allowed', (expression, field, value, allowed) => {
    const error = refusal(() => parseCron(expression))
    expect(error.code).toBe('cron_invalid')
    expect(error.message).toContain(`its ${field} cannot be "${value}"`)
    expect(error.hint).toContain(allowed)
  })

  it.each([
    ['*/5 * * * *', 'write 0 */5 * * * ?'],
    ['30 2 * * 0', 'write 0 30 2 ? * 1'],
    ['30 2 * * 1-5', 'write 0 30 2 ? * 2-6'],
    ['0 2 * * 7,SAT', 'write 0 0 2 ? * 1,SAT'],
    ['0 2 * * */2', 'write 0 0 2 ? * */2'],
    ['0 2 1 * *', 'write 0 0 2 1 * ?'],
    ['@daily', 'write 0 0 0 * * ?'],
    ['0 2 1 * 1', 'make two schedules'],
  ])('gets the Quartz form of %s', (unix, hint) => {
    expect(refusal(() => parseCron(unix)).hint).toContain(hint)
  })

  it('gets no Quartz form where there is none', () => {
    expect(refusal(() => parseCron('a b c d e')).hint).not.toContain('write')
  })
})

describe('a time zone', () => {
  it.each([
    'europe/berlin',
    'EUROPE/BERLIN',
    'us/eastern',
    'utc',
    '+02:00',
    'GMT+02:00',
    'Mars/X',
    '',
  ])('%s is refused, since Java would read it as GMT', (timezone) => {
    const error = refusal(() => next('0 0 6 * * ?', timezone, '2026-01-01T00:00:00Z'))
    expect(error.code).toBe('timezone_unknown')
  })

  it.each([
    'UTC',
    'GMT',
    'Etc/UTC',
    'US/Eastern',
    'PST8PDT',
    'Etc/GMT+5',
    'America/Port-au-Prince',
  ])('%s is taken', (timezone) =>
    expect(next('0 0 6 * * ?', timezone, '2026-01-01T00:00:00Z')).toHaveLength(4),
  )
})

describe('the search', () => {
  it('skips a day that the zone skipped (Samoa had no 30 December 2011)', () => {
    expect(next('0 0 6 ? * *', 'Pacific/Apia', '2011-12-29T00:00:00Z', 3).map(text)).toEqual([
      '2011-12-29T16:00:00Z',
      '2011-12-30T16:00:00Z',
      '2011-12-31T16:00:00Z',
    ])
  })

  it.each([
    ['a start before the first year', '0001-01-01T00:00:00Z', ['1970-01-01T06:00:00Z']],
    ['a start in the last second', '2099-12-31T23:59:59Z', []],
    ['a start beyond all years', '+275760-09-13T00:00:00Z', []],
  ])('answers for %s', (_, start, answer) => {
    expect(next('0 0 6 * * ?', 'UTC', start, 1).map(text)).toEqual(answer)
  })

  it.each([
    ['0 0 18 L-28W 2 ?', '2027-01-05T00:00:00Z', '2027-02-01T18:00:00Z'],
    ['0 0 18 L-30W 4 ?', '2024-03-20T00:00:00Z', '2024-04-01T18:00:00Z'],
    ['0 0 18 L-28W 2 ?', '2025-01-05T00:00:00Z', '2027-02-01T18:00:00Z'],
  ])('takes %s in a month one day too short where Quartz does', (expression, start, answer) => {
    // Quartz never returns from the third, and from the runs after these.
    expect(next(expression, 'UTC', start, 1).map(text)).toEqual([answer])
  })

  it('answers nothing for no runs', () => {
    expect(next('* * * * * ?', 'UTC', '2026-01-01T00:00:00Z', 0)).toEqual([])
  })
})

describe('clock changes', () => {
  const changes = (expression: string, timezone: string, after: string, until: string) =>
    clockChanges(parseCron(expression), timezone, new Date(after), new Date(until))
  const YEAR = ['2026-01-01T00:00:00Z', '2027-01-01T00:00:00Z'] as const

  it('name the run that is skipped and the run that is late', () => {
    expect(changes('0 30 2 * * ?', 'Europe/Berlin', ...YEAR)).toEqual([
      {
        at: new Date('2026-03-29T01:00:00Z'),
        kind: 'skipped',
        text: 'In Europe/Berlin the clocks go from 02:00 to 03:00 on 2026-03-29: the run at 02:30 is skipped, since that time does not exist.',
      },
      {
        at: new Date('2026-10-25T01:00:00Z'),
        kind: 'late',
        text: 'In Europe/Berlin the clocks go from 03:00 to 02:00 on 2026-10-25: the run at 02:30 comes late, at the second pass of the hour (Sun 2026-10-25 02:30:00 +01:00), and only once.',
      },
    ])
  })

  it('speak of several runs', () => {
    const [skipped, late] = changes('0 0/20 * * * ?', 'Europe/Berlin', ...YEAR)
    expect(skipped!.text).toContain('the runs from 02:00 on are skipped')
    expect(late!.text).toContain('the runs from 02:00 on come late')
  })

  it.each([
    ['a time that both days have', '0 30 4 * * ?', 'Europe/Berlin'],
    ['the end of the gap', '0 0 3 * * ?', 'Europe/Berlin'],
    ['another weekday', '0 30 2 ? * MON', 'Europe/Berlin'],
    ['a zone without changes', '0 30 2 * * ?', 'Asia/Tokyo'],
  ])('say nothing about %s', (_, expression, timezone) => {
    expect(changes(expression, timezone, ...YEAR)).toEqual([])
  })

  it('are found at midnight and for half an hour', () => {
    expect(changes('0 0 0 * * ?', 'America/Santiago', ...YEAR).map((one) => one.kind)).toEqual([
      'skipped',
    ])
    expect(changes('0 45 1 * * ?', 'Australia/Lord_Howe', ...YEAR).map((one) => one.kind)).toEqual([
      'late',
    ])
  })

  it('leave out the start and take in the end', () => {
    const at = '2026-03-29T01:00:00Z'
    expect(changes('0 30 2 * * ?', 'Europe/Berlin', at, at)).toEqual([])
    expect(changes('0 30 2 * * ?', 'Europe/Berlin', at, '2026-10-25T01:00:00Z')).toHaveLength(1)
  })
})

describe('a description', () => {
  it.each([
    ['0 30 2 * * ?', 'At 02:30'],
    ['0 0/15 * * * ?', 'Every 15 minutes'],
    ['0 /15 * * * ?', 'Every 15 minutes'],
    ['0 0/45 8 * * ?', 'At 0 and 45 minutes past the hour, at 08:00'],
    ['0 0 */7 * * ?', 'At 00:00, 07:00, 14:00 and 21:00'],
    ['0 0 6 ? * 2', 'At 06:00, only on Monday'],
    ['0 0 6 ? * L', 'At 06:00, only on Saturday'],
    ['0 0 6 ? * 6L', 'At 06:00, on the last Friday of the month'],
    ['0 0 6 ? * FRI#3', 'At 06:00, on the third Friday of the month'],
    ['0 0 6 ? * */3', 'At 06:00, only on Sunday, Wednesday, and Saturday'],
    ['0 0 6 L-0 * ?', 'At 06:00, on the last day of the month'],
    ['0 0 6 L-3 * ?', 'At 06:00, 3 days before the last day of the month'],
    [
      '0 0 6 L-3W * ?',
      'At 06:00, on the weekday nearest to 3 days before the last day of the month',
    ],
    ['0 0 6 1 7/6 ?', 'At 06:00, on day 1 of the month, only in July'],
    [
      '0 0 6 1 1 ? 2027/3',
      'At 06:00, on day 1 of the month, only in January, every 3 years, 2027 through 2099',
    ],
  ])('of %s says: %s', (expression, words) => expect(describeCron(expression)).toBe(words))

  it('of a bad expression is refused', () => {
    expect(refusal(() => describeCron('0 0 6 * *')).code).toBe('cron_invalid')
  })
})

describe('random expressions', () => {
  // A seeded generator: a failure names its expression and comes again.
  const random = ((state: number) => (below: number) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  })(20260101)
  const pick = <T>(list: readonly T[]): T => list[random(list.length)]!
  const item = (min: number, max: number): string => {
    const value = () => min + random(max - min + 1)
    const step = 1 + random(max < 59 ? max : 59)
    return pick([
      () => `${value()}`,
      () => `${value()}-${value()}`,
      () => `${value()}/${step}`,
      () => `*/${step}`,
      () => `${value()}-${value()}/${step}`,
      () => `${value()},${value()},${value()}`,
      () => `${value()},${value()}-${value()}`,
    ])()
  }
  const field = (min: number, max: number) => (random(4) === 0 ? '*' : item(min, max))
  const expression = (): string => {
    const time = `${field(0, 59)} ${field(0, 59)} ${field(0, 23)}`
    const monthDay = () =>
      pick([
        () => field(1, 31),
        () => `L-${random(31)}`,
        () => `L-${random(31)}W`,
        () => `${1 + random(31)}W`,
        () => 'LW',
      ])()
    const weekday = () =>
      pick([
        () => field(1, 7),
        () => `${1 + random(7)}L`,
        () => `${1 + random(7)}#${1 + random(5)}`,
      ])()
    const days = random(2) ? `${monthDay()} ${field(1, 12)} ?` : `? ${field(1, 12)} ${weekday()}`
    return `${time} ${days}${random(5) === 0 ? ` ${pick(['*/4', '2028/7', '2026-2031', '2030,2040'])}` : ''}`
  }
  const ZONES = [
    'UTC',
    'Europe/Berlin',
    'America/New_York',
    'Australia/Lord_Howe',
    'America/Havana',
    'Africa/Casablanca',
    'Pacific/Chatham',
  ]
  const CASES = Array.from({ length: 400 }, () => ({
    expression: expression(),
    timezone: pick(ZONES),
    start: new Date(Date.UTC(2026, random(24), 1 + random(28), random(24), random(60), random(60))),
  }))

  it('are answered quickly, in order, and each answer leads to the next one', () => {
    for (const { expression, timezone, start } of CASES) {
      const cron = parseCron(expression)
      const began = performance.now()
      const runs = nextRuns(cron, timezone, start, 8)
      expect(performance.now() - began, `${expression} ${timezone}`).toBeLessThan(1000)
      for (const [index, run] of runs.entries()) {
        const before = runs[index - 1] ?? start
        expect(run.getTime(), `${expression} ${timezone}`).toBeGreaterThan(before.getTime())
        expect(nextRuns(cron, timezone, before, 1), `${expression} ${timezone}`).toEqual([run])
      }
    }
  })

  it('are described without an error', () => {
    for (const { expression } of CASES) expect(describeCron(expression)).toMatch(/^\w/)
  })

  it('get the same answers in UTC as croner gives for the values written out', () => {
    let compared = 0
    for (const { expression, start } of CASES) {
      const cron = parseCron(expression)
      if (cron.days.kind !== 'days' && cron.days.kind !== 'weekdays') continue
      const days =
        cron.days.kind === 'days'
          ? `${cron.days.days} ${cron.months} ?`
          : `? ${cron.months} ${cron.days.weekdays.map((weekday) => weekday - 1)}`
      const years = cron.years.filter((year) => year >= 2026)
      const witness = new Croner(`${cron.seconds} ${cron.minutes} ${cron.hours} ${days} ${years}`, {
        timezone: 'UTC',
        mode: '7-part',
      })
      expect(nextRuns(cron, 'UTC', start, 5), expression).toEqual(witness.nextRuns(5, start))
      compared++
    }
    expect(compared).toBeGreaterThan(100)
  })
})

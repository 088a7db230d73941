import * as v from 'valibot'
import { describe, expect, it } from 'vitest'
import { nextRuns, parseCron } from './cron.ts'
import { LakeForgeError } from './errors.ts'
import {
  Blackout,
  blackoutAt,
  dueRuns,
  nextRun,
  onOverlap,
  previewSchedule,
} from './schedule-time.ts'
import type { ScheduleTiming } from './schedule-time.ts'

const EVERY_DAY = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const
const HOURLY: ScheduleTiming = {
  kind: 'cron',
  quartz_cron: '0 0 * * * ?',
  timezone: 'UTC',
  misfire: 'run_once',
  overlap: 'queue',
  blackouts: [],
  jitter_s: 0,
}

/** A Thursday. */
const DAY = '2026-01-01'
const at = (text: string) => new Date(text.includes('T') ? text : `${DAY}T${text}Z`)
const text = (date: Date | null) => date && date.toISOString().replace('.000Z', 'Z')
const next = (schedule: Partial<ScheduleTiming>, after: string, seed = 's') =>
  text(nextRun({ ...HOURLY, ...schedule }, at(after), seed))
const weekly = (
  from: string,
  to: string,
  action: 'move' | 'skip' = 'move',
  days: readonly (typeof EVERY_DAY)[number][] = EVERY_DAY,
): Blackout => ({ days: [...days], from, to, action })

describe('the next run', () => {
  it('is the cron time strictly after', () => {
    expect(next({}, '01:00:00')).toBe('2026-01-01T02:00:00Z')
    expect(next({}, '01:59:59.999')).toBe('2026-01-01T02:00:00Z')
  })

  it.each(['file_arrival', 'table_update'] as const)('of %s is none', (kind) => {
    expect(next({ kind, quartz_cron: null }, '01:00:00')).toBeNull()
  })

  it('is none once the years are past', () => {
    expect(next({ quartz_cron: '0 0 0 1 1 ? 2025' }, '01:00:00')).toBeNull()
  })

  it('of a cron schedule without an expression is refused', () => {
    expect(() => next({ quartz_cron: null }, '01:00:00')).toThrow(LakeForgeError)
  })
})

describe('a blackout window', () => {
  it.each([
    ['before it', '00:30:00', '2026-01-01T01:00:00Z'],
    ['that begins at a fire time', '01:00:00', '2026-01-01T04:30:00Z'],
    ['asked at the fire that it holds', '02:00:00', '2026-01-01T04:30:00Z'],
    ['asked within it', '03:10:00', '2026-01-01T04:30:00Z'],
    ['asked at its end', '04:30:00', '2026-01-01T05:00:00Z'],
  ])('moves the runs in it to its end, once: %s', (_, after, answer) => {
    expect(next({ blackouts: [weekly('02:00', '04:30')] }, after)).toBe(answer)
  })

  it('that ends at a fire time lets that fire run once', () => {
    const schedule = { blackouts: [weekly('02:00', '04:00')] }
    expect(next(schedule, '01:00:00')).toBe('2026-01-01T04:00:00Z')
    expect(next(schedule, '04:00:00')).toBe('2026-01-01T05:00:00Z')
  })

  it('that holds no fire starts nothing at its end', () => {
    expect(next({ blackouts: [weekly('02:10', '02:50')] }, '02:20:00')).toBe('2026-01-01T03:00:00Z')
  })

  it('skips the runs in it', () => {
    expect(next({ blackouts: [weekly('02:00', '04:30', 'skip')] }, '01:00:00')).toBe(
      '2026-01-01T05:00:00Z',
    )
  })

  it('goes over midnight, from the day it begins on', () => {
    const schedule = { blackouts: [weekly('22:00', '02:30', 'move', ['thu'])] }
    expect(next(schedule, '21:00:00')).toBe('2026-01-02T02:30:00Z')
    expect(next(schedule, '2026-01-02T21:00:00Z')).toBe('2026-01-02T22:00:00Z')
    expect(next(schedule, '2025-12-31T23:30:00Z')).toBe('2026-01-01T00:00:00Z')
  })

  it('from a time to the same time lasts a day', () => {
    const schedule = { blackouts: [weekly('12:00', '12:00', 'skip', ['thu'])] }
    expect(next(schedule, '11:00:00')).toBe('2026-01-02T12:00:00Z')
  })

  it('given as instants holds once, whatever the offset it is written with', () => {
    const blackouts: Blackout[] = [
      { from: '2026-01-01T03:00:00+01:00', to: '2026-01-01T03:30:00Z', action: 'move' },
    ]
    expect(next({ blackouts }, '01:00:00')).toBe('2026-01-01T03:30:00Z')
    expect(next({ blackouts }, '2026-01-02T01:00:00Z')).toBe('2026-01-02T02:00:00Z')
  })

  it('of years is jumped over', () => {
    const blackouts: Blackout[] = [
      { from: '2026-01-01T00:00:00Z', to: '2036-01-01T00:00:30Z', action: 'move' },
    ]
    expect(next({ blackouts, quartz_cron: '* * * * * ?' }, '12:00:00')).toBe('2036-01-01T00:00:30Z')
  })

  it.each([
    [
      'that begins at its end moves on',
      [weekly('02:00', '04:00'), weekly('04:00', '05:30')],
      '05:30',
    ],
    ['that overlaps it moves on', [weekly('02:00', '04:00'), weekly('03:30', '05:30')], '05:30'],
    [
      'that skips holds its end: nothing',
      [weekly('02:00', '04:00'), weekly('04:00', '05:30', 'skip')],
      '06:00',
    ],
    [
      'that skips lies within: those outside of it move',
      [weekly('02:00', '04:30'), weekly('02:30', '03:30', 'skip')],
      '04:30',
    ],
    [
      'that skips holds the same: skip wins',
      [weekly('02:00', '04:30'), weekly('01:30', '04:45', 'skip')],
      '05:00',
    ],
  ])('and a second one %s', (_, blackouts, answer) => {
    expect(next({ blackouts }, '01:00:00')).toBe(`2026-01-01T${answer}:00Z`)
    expect(next({ blackouts: blackouts.toReversed() }, '02:00:00')).toBe(`2026-01-01T${answer}:00Z`)
    expect(next({ blackouts }, '04:00:00')).toBe(`2026-01-01T${answer}:00Z`)
  })

  it('remembers the run that it holds, also over a row of windows', () => {
    const daily = { quartz_cron: '0 0 2 * * ?' }
    const row = [weekly('02:00', '04:00'), weekly('04:00', '05:30')]
    for (const after of ['02:00:00', '03:00:00', '04:00:00', '05:29:59'])
      expect(next({ ...daily, blackouts: row }, after)).toBe('2026-01-01T05:30:00Z')
    expect(next({ ...daily, blackouts: row }, '05:30:00')).toBe('2026-01-02T05:30:00Z')
    const apart = [weekly('02:00', '04:00'), weekly('04:01', '05:30')]
    expect(next({ ...daily, blackouts: apart }, '05:00:00')).toBe('2026-01-02T04:00:00Z')
  })

  it.each(['move', 'skip'] as const)('that never ends (%s) leaves no run, and soon', (action) => {
    const began = performance.now()
    expect(next({ blackouts: [weekly('00:00', '00:00', action)] }, '01:00:00')).toBeNull()
    expect(
      next(
        { blackouts: [weekly('01:00', '01:00', action)], quartz_cron: '* * * * * ?', jitter_s: 60 },
        '01:00:00',
      ),
    ).toBeNull()
    expect(performance.now() - began).toBeLessThan(2000)
  })

  it('is read in the zone of the schedule, also on the days of a clock change', () => {
    const schedule = {
      timezone: 'Europe/Berlin',
      quartz_cron: '0 30 1 * * ?',
      blackouts: [weekly('01:00', '02:30')],
    }
    // 02:30 is missing on 29 March: the window ends at the jump. On 25 October the second 02:30 ends it.
    expect(next(schedule, '2026-03-27T12:00:00Z')).toBe('2026-03-28T01:30:00Z')
    expect(next(schedule, '2026-03-28T12:00:00Z')).toBe('2026-03-29T01:00:00Z')
    expect(next(schedule, '2026-10-24T12:00:00Z')).toBe('2026-10-25T01:30:00Z')
    expect(next(schedule, '2026-10-25T12:00:00Z')).toBe('2026-10-26T01:30:00Z')
  })

  it('says until when it holds a moment', () => {
    const schedule = { ...HOURLY, blackouts: [weekly('02:00', '04:00'), weekly('03:00', '05:00')] }
    expect(blackoutAt(schedule, at('01:59:59'))).toBeNull()
    expect(text(blackoutAt(schedule, at('02:00:00')))).toBe('2026-01-01T05:00:00Z')
    expect(blackoutAt(schedule, at('05:00:00'))).toBeNull()
  })
})

describe('jitter', () => {
  const FIVE_MINUTES = { quartz_cron: '0 0/5 * * * ?', jitter_s: 240 }
  const series = (schedule: Partial<ScheduleTiming>, seed: string, count: number) => {
    const runs: number[] = []
    let run = at('00:00:00')
    for (let i = 0; i < count; i++) {
      run = nextRun({ ...HOURLY, ...schedule }, run, seed)!
      runs.push(run.getTime())
    }
    return runs
  }

  it('is the same for the same seed and differs for another', () => {
    expect(series(FIVE_MINUTES, 'a', 20)).toEqual(series(FIVE_MINUTES, 'a', 20))
    expect(series(FIVE_MINUTES, 'a', 20)).not.toEqual(series(FIVE_MINUTES, 'b', 20))
  })

  it('adds 0 to jitter_s seconds to each fire, spread over all of them', () => {
    const added = series(FIVE_MINUTES, 'a', 288).map((run) => (run / 1000) % 300)
    expect(Math.max(...added)).toBeGreaterThan(220)
    expect(Math.max(...added)).toBeLessThanOrEqual(240)
    expect(Math.min(...added)).toBeLessThan(20)
    const mean = added.reduce((a, b) => a + b) / added.length
    expect(Math.abs(mean - 120)).toBeLessThan(15)
  })

  it('never reaches the next fire: each has its own start', () => {
    const runs = series({ quartz_cron: '0,7 * * * * ?', jitter_s: 3600 }, 'a', 100)
    const fires = nextRuns(parseCron('0,7 * * * * ?'), 'UTC', at('00:00:00'), 101)
    // 00:00:00 itself may start after 00:00:00.
    const from = runs[0]! < fires[0]!.getTime() ? 1 : 0
    for (const [index, run] of runs.slice(from).entries()) {
      expect(run).toBeGreaterThanOrEqual(fires[index]!.getTime())
      expect(run).toBeLessThan(fires[index + 1]!.getTime())
    }
  })

  it('of a second-by-second schedule is none', () => {
    expect(
      series({ quartz_cron: '* * * * * ?', jitter_s: 60 }, 'a', 5).map((run) => run % 60_000),
    ).toEqual([1000, 2000, 3000, 4000, 5000])
  })

  it('still finds the run whose fire is past', () => {
    const [first, second] = series({ jitter_s: 3000 }, 'a', 2)
    const between = new Date(first! - 1000).toISOString()
    expect(next({ jitter_s: 3000 }, between, 'a')).toBe(text(new Date(first!)))
    expect(next({ jitter_s: 3000 }, new Date(first!).toISOString(), 'a')).toBe(
      text(new Date(second!)),
    )
  })

  it('spreads the runs at the end of a blackout and enters none', () => {
    const blackouts = [weekly('02:00', '04:30'), weekly('04:40', '05:00')]
    const starts = ['a', 'b', 'c', 'd', 'e', 'f'].map((seed) =>
      next({ blackouts, jitter_s: 3000 }, '02:00:00', seed)!,
    )
    expect(new Set(starts).size).toBeGreaterThan(3)
    for (const start of starts) {
      expect(start >= '2026-01-01T04:30:00Z').toBe(true)
      expect(start < '2026-01-01T04:40:00Z').toBe(true)
    }
  })
})

describe('runs that are due', () => {
  const due = (schedule: Partial<ScheduleTiming>, last: string, now: string) => {
    const answer = dueRuns({ ...HOURLY, ...schedule }, at(last), at(now), 's')
    return [text(answer.fire), answer.missed]
  }

  it.each([
    ['nothing yet', '01:00:00', '01:59:59', [null, 0]],
    ['the very second', '01:00:00', '02:00:00', ['2026-01-01T02:00:00Z', 0]],
    ['an hour late', '01:00:00', '02:59:00', ['2026-01-01T02:00:00Z', 0]],
    ['three hours late', '01:00:00', '04:10:00', ['2026-01-01T04:00:00Z', 2]],
    ['a clock that went back', '04:00:00', '01:00:00', [null, 0]],
  ])('with run_once: %s', (_, last, now, answer) => {
    expect(due({}, last, now)).toEqual(answer)
  })

  it.each([
    ['the very second', '01:00:00', '02:00:00', ['2026-01-01T02:00:00Z', 0]],
    ['a minute late', '01:00:00', '02:01:00', ['2026-01-01T02:00:00Z', 0]],
    ['more than a minute late', '01:00:00', '02:01:00.001', [null, 1]],
    ['three missed and one in time', '01:00:00', '05:00:30', ['2026-01-01T05:00:00Z', 3]],
    ['three missed', '01:00:00', '04:30:00', [null, 3]],
  ])('with skip: %s', (_, last, now, answer) => {
    expect(due({ misfire: 'skip' }, last, now)).toEqual(answer)
  })

  it('wait for the end of a blackout, neither started nor missed', () => {
    for (const misfire of ['skip', 'run_once'] as const) {
      const schedule = { misfire, blackouts: [weekly('02:30', '04:00')] }
      expect(due(schedule, '01:00:00', '03:00:00')).toEqual([null, 0])
    }
    const schedule = { blackouts: [weekly('02:30', '04:00')] }
    expect(due(schedule, '01:00:00', '04:00:00')).toEqual(['2026-01-01T04:00:00Z', 1])
  })

  it.each(['skip', 'run_once'] as const)(
    'of a month of seconds are counted to 1000, and soon (%s)',
    (misfire) => {
      const schedule = {
        misfire,
        quartz_cron: '* * * * * ?',
        jitter_s: 30,
        blackouts: [weekly('02:00', '03:00')],
      }
      const began = performance.now()
      expect(due(schedule, '00:00:00', '2026-02-01T12:00:00.500Z')).toEqual([
        '2026-02-01T12:00:00Z',
        1000,
      ])
      expect(performance.now() - began).toBeLessThan(1500)
    },
  )

  it('of a schedule that waits for files are none', () => {
    expect(due({ kind: 'file_arrival', quartz_cron: null }, '00:00:00', '12:00:00')).toEqual([
      null,
      0,
    ])
  })

  it.each([
    ['queue', 0, 'start'],
    ['queue', 1, 'queue'],
    ['skip', 0, 'start'],
    ['skip', 2, 'skip'],
  ] as const)('with overlap %s and %i unfinished batches: %s', (overlap, unfinished, answer) => {
    expect(onOverlap({ overlap }, unfinished)).toBe(answer)
  })
})

describe('a preview', () => {
  const preview = (schedule: Partial<ScheduleTiming>, now: string, count?: number) =>
    previewSchedule({ ...HOURLY, ...schedule }, at(now), count)

  it('says the schedule in words and the next ten starts', () => {
    const { description, next, warnings } = preview(
      { quartz_cron: '0 30 2 ? * MON', timezone: 'Asia/Kolkata' },
      '00:00:00',
    )
    expect(description).toBe('At 02:30, only on Monday (Asia/Kolkata)')
    expect(next).toHaveLength(10)
    expect(next[0]).toEqual({
      at_utc: '2026-01-04T21:00:00.000Z',
      local: 'Mon 2026-01-05 02:30:00 +05:30',
    })
    expect(warnings).toEqual([])
  })

  it('shows what was moved, and from where', () => {
    const { next } = preview({ blackouts: [weekly('02:00', '04:30')] }, '01:00:00', 2)
    expect(next).toEqual([
      {
        at_utc: '2026-01-01T04:30:00.000Z',
        local: 'Thu 2026-01-01 04:30:00 +00:00',
        moved_from: '2026-01-01T02:00:00.000Z',
      },
      { at_utc: '2026-01-01T05:00:00.000Z', local: 'Thu 2026-01-01 05:00:00 +00:00' },
    ])
  })

  it('shows the very starts that nextRun gives', () => {
    const schedule = { ...HOURLY, jitter_s: 900, blackouts: [weekly('02:00', '04:30')] }
    let run = at('00:00:00')
    for (const shown of previewSchedule(schedule, run, 8, 'x').next) {
      run = nextRun(schedule, run, 'x')!
      expect(shown.at_utc).toBe(run.toISOString())
    }
  })

  it.each([
    [
      'clock changes',
      { quartz_cron: '0 30 2 * * ?', timezone: 'Europe/Berlin' },
      'clocks go from 02:00 to 03:00',
    ],
    ['years past', { quartz_cron: '0 0 0 1 1 ? 2020' }, 'no time from now on'],
    ['windows that leave nothing', { blackouts: [weekly('00:00', '00:00')] }, 'nothing starts'],
    [
      'runs that windows skip',
      { blackouts: [weekly('02:00', '04:30', 'skip')] },
      'skip 3 runs, the first at Thu 2026-01-01 02:00:00',
    ],
    ['runs closer than ten seconds', { quartz_cron: '0/5 * * * * ?' }, 'at least 10 seconds'],
    ['a jitter longer than the pauses', { jitter_s: 3600 }, 'is cut'],
  ])('warns of %s', (_, schedule, warning) => {
    expect(preview(schedule, '00:30:00').warnings.join('\n')).toContain(warning)
  })

  it.each(['file_arrival', 'table_update'] as const)('of %s names no times', (kind) => {
    const { description, next, warnings } = preview({ kind, quartz_cron: null }, '00:00:00')
    expect(description).toMatch(/^When /)
    expect([next, warnings]).toEqual([[], []])
  })
})

describe('the schema of a window', () => {
  it('takes both kinds; a window moves unless it says skip', () => {
    expect(v.parse(Blackout, { days: ['sat'], from: '22:00', to: '06:00' })).toEqual({
      days: ['sat'],
      from: '22:00',
      to: '06:00',
      action: 'move',
    })
    const once = { from: '2026-12-24T00:00:00Z', to: '2026-12-27T00:00:00+01:00', action: 'skip' }
    expect(v.parse(Blackout, once)).toEqual(once)
  })

  it.each([
    ['no day', { days: [], from: '22:00', to: '06:00' }, 'at least one day'],
    ['a wrong day', { days: ['someday'], from: '22:00', to: '06:00' }, 'days'],
    ['24:00', { days: ['sat'], from: '22:00', to: '24:00' }, 'HH:MM'],
    [
      'an instant without an offset',
      { from: '2026-12-24T00:00:00', to: '2026-12-25T00:00:00Z' },
      'offset',
    ],
    [
      'an end before the start',
      { from: '2026-12-24T00:00:00Z', to: '2026-12-23T00:00:00Z' },
      'ends after',
    ],
    [
      'an end at the start',
      { from: '2026-12-24T00:00:00Z', to: '2026-12-24T00:00:00Z' },
      'ends after',
    ],
    ['an unknown key', { days: ['sat'], from: '22:00', to: '06:00', zone: 'UTC' }, ''],
    ['nothing', {}, ''],
  ])('refuses %s', (_, window, message) => {
    const result = v.safeParse(Blackout, window)
    expect(result.success).toBe(false)
    if (message !== '') expect(v.summarize(result.issues!)).toContain(message)
  })
})

describe('random schedules', () => {
  const random = ((state: number) => (below: number) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  })(7)
  const pick = <T>(list: readonly T[]): T => list[random(list.length)]!
  const time = () => `${String(random(24)).padStart(2, '0')}:${pick(['00', '15', '30', '45'])}`
  const CRONS = [
    '0 0/20 * * * ?',
    '0 30 2,14 * * ?',
    '0 0 3 ? * MON-FRI',
    '0 5/35 1-6 * * ?',
    '17 0/7 * ? * SAT,SUN',
  ]
  const HALF_HOUR = 1_800_000
  const QUARTER = 900_000

  const schedules = (timezone: readonly string[]): ScheduleTiming[] =>
    Array.from({ length: 60 }, () => ({
      ...HOURLY,
      quartz_cron: pick(CRONS),
      timezone: pick(timezone),
      jitter_s: pick([0, 0, 45, 1200]),
      blackouts: Array.from({ length: random(4) }, (): Blackout => {
        const action = pick(['move', 'skip'] as const)
        if (random(3) > 0) return weekly(time(), time(), action, [pick(EVERY_DAY), pick(EVERY_DAY)])
        const from = Date.parse(DAY) + random(300) * HALF_HOUR
        const to = from + (1 + random(60)) * HALF_HOUR
        return { from: new Date(from).toISOString(), to: new Date(to).toISOString(), action }
      }),
    }))

  it('start in order, never in a blackout, the same from any moment in between, and soon', () => {
    for (const schedule of schedules(['UTC', 'Europe/Berlin', 'America/New_York'])) {
      const name = JSON.stringify(schedule)
      let run = new Date(Date.UTC(2026, pick([0, 2, 9]), 20 + random(10)))
      for (let i = 0; i < 30; i++) {
        const began = performance.now()
        const following = nextRun(schedule, run, 'r')
        expect(performance.now() - began, name).toBeLessThan(1000)
        if (!following) break
        expect(following.getTime(), name).toBeGreaterThan(run.getTime())
        expect(blackoutAt(schedule, following), name).toBeNull()
        const between = new Date(run.getTime() + random(following.getTime() - run.getTime()))
        expect(nextRun(schedule, between, 'r'), name).toEqual(following)
        run = following
      }
    }
  })

  it('start when a walk through the week, quarter by quarter, says so', () => {
    for (const schedule of schedules(['UTC']).map((one) => ({ ...one, jitter_s: 0 }))) {
      const start = Date.parse('2026-01-05T00:00:00Z')
      const end = start + 7 * 86_400_000
      const answer: string[] = []
      for (let run = nextRun(schedule, new Date(start), ''); run && run.getTime() < end;) {
        answer.push(run.toISOString())
        run = nextRun(schedule, run, '')
      }
      expect(answer, JSON.stringify(schedule)).toEqual(lookedUp(schedule, start, end))
    }
  })

  /** The same by brute force: each fire walks on by quarters of an hour while a window that moves holds it. UTC only. */
  function lookedUp(schedule: ScheduleTiming, start: number, end: number): string[] {
    const holds = (window: Blackout, moment: number): boolean => {
      if (!('days' in window))
        return moment >= Date.parse(window.from) && moment < Date.parse(window.to)
      const minutes = (clock: string) => Number(clock.slice(0, 2)) * 60 + Number(clock.slice(3))
      const length = (minutes(window.to) - minutes(window.from) + 1440) % 1440 || 1440
      const minute = Math.floor(moment / 60_000)
      return [0, 1].some((back) => {
        const day = Math.floor(minute / 1440) - back
        const name = EVERY_DAY[(((day + 3) % 7) + 7) % 7]!
        const since = minute - day * 1440 - minutes(window.from)
        return window.days.includes(name) && since >= 0 && since < length
      })
    }
    const starts = new Set<number>()
    const fires = nextRuns(
      parseCron(schedule.quartz_cron!),
      'UTC',
      new Date(start - 9 * 86_400_000),
      5000,
    )
    for (const fire of fires) {
      if (fire.getTime() > end) break
      let moment = fire.getTime()
      for (;;) {
        const holding = schedule.blackouts.filter((window) => holds(window, moment))
        if (holding.some((window) => window.action === 'skip')) break
        if (holding.length === 0) {
          if (moment > start && moment < end) starts.add(moment)
          break
        }
        // These windows begin and end on quarters of an hour.
        moment = Math.floor(moment / QUARTER) * QUARTER + QUARTER
        while (holding.some((window) => holds(window, moment))) moment += QUARTER
      }
    }
    return [...starts].sort((a, b) => a - b).map((moment) => new Date(moment).toISOString())
  }
})

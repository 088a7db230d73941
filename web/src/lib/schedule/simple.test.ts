import { describe, expect, it } from 'vitest'
import { nextRuns, parseCron } from '#core/cron.ts'
import { cronOf, simpleOf, turned, type Simple } from '#lib/schedule/simple.ts'

const AT = new Date('2026-11-22T02:00:00Z')
const times = (expression: string) =>
  nextRuns(parseCron(expression), 'Europe/Berlin', AT, 20).map((at) => at.toISOString())

describe('a schedule in plain choices', () => {
  it.each<[string, Simple]>([
    ['0 0/15 * * * ?', { every: 'minutes', minutes: 15 }],
    ['0 */5 * * * ?', { every: 'minutes', minutes: 5 }],
    ['0 * * ? * *', { every: 'minutes', minutes: 1 }],
    ['0 30 * * * ?', { every: 'hour', minute: 30 }],
    ['0 0 6 * * ?', { every: 'day', time: '06:00' }],
    ['00 05 06 ? * * *', { every: 'day', time: '06:05' }],
    ['0 0 6 ? * 2-6', { every: 'week', time: '06:00', days: ['MON', 'TUE', 'WED', 'THU', 'FRI'] }],
    ['0 0 6 ? * mon,wed', { every: 'week', time: '06:00', days: ['MON', 'WED'] }],
    ['0 0 6 ? * 1', { every: 'week', time: '06:00', days: ['SUN'] }],
    ['0 0 6 ? * FRI-MON', { every: 'week', time: '06:00', days: ['MON', 'FRI', 'SAT', 'SUN'] }],
    ['0 15 22 1 * ?', { every: 'month', time: '22:15', day: 1 }],
    ['0 0 0 L * ?', { every: 'month', time: '00:00', day: 'L' }],
  ])('reads %s, and writes one of the same times', (expression, simple) => {
    expect(simpleOf(expression)).toEqual(simple)
    expect(times(cronOf(simple))).toEqual(times(expression))
    expect(simpleOf(cronOf(simple))).toEqual(simple)
  })

  it.each([
    '0 0 6 LW * ?',
    '0 0 6 15W * ?',
    '0 0 6 ? * 6#3',
    '0 0 6 ? * 6L',
    '0 0 6 ? 1 MON',
    '0 0 6,18 * * ?',
    '30 0 6 * * ?',
    '0 0 6 * * ? 2028',
    '0 0/7 * * * ?',
    '0 0/15 6 * * ?',
    '0 0 6 ? * MON-TUE-WED',
    '0 0 6 ? * 0',
    '0 6 * * *',
    '',
  ])('leaves %j as it is written', (expression) => expect(simpleOf(expression)).toBeNull())

  it('keeps the time of day when the rhythm changes', () => {
    const daily: Simple = { every: 'day', time: '22:15' }
    expect(turned(daily, 'week')).toMatchObject({ time: '22:15' })
    expect(turned(turned(daily, 'month'), 'day')).toEqual(daily)
    expect(turned(daily, 'hour')).toEqual({ every: 'hour', minute: 15 })
  })
})

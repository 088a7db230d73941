import { describe, expect, it } from 'vitest'
import {
  absolute,
  bytes,
  clock,
  count,
  duration,
  elapsed,
  exactCount,
  percent,
  plural,
  relative,
  volume,
} from '#lib/format.ts'

const NOW = Date.parse('2026-11-23T09:41:07.120Z')

describe('counts', () => {
  it.each([
    [null, '–'],
    [undefined, '–'],
    ['', '–'],
    [0, '0'],
    [999, '999'],
    [1000, '1 k'],
    [12_345, '12.3 k'],
    [999_999, '1 M'],
    [1_204_557, '1.2 M'],
    [527_000, '527 k'],
    [-4_200, '-4.2 k'],
    ['9007199254740993', '9010 T'],
  ])('writes %s as %s', (value, text) => expect(count(value)).toBe(text))

  it('keeps every digit of the exact number', () => {
    expect(exactCount('1204557')).toBe('1,204,557')
  })

  it('says one thing and several things', () => {
    expect([plural(1, 'batch', 'batches'), plural(1200, 'batch', 'batches')]).toEqual([
      '1 batch',
      '1,200 batches',
    ])
  })
})

describe('sizes', () => {
  it.each([
    [null, '–'],
    [0, '0 B'],
    [999, '999 B'],
    [1000, '1 kB'],
    [999_600, '1 MB'],
    [1_440_000_000, '1.4 GB'],
    [250_000_000, '250 MB'],
  ])('writes %s as %s', (value, text) => expect(bytes(value)).toBe(text))
})

it('tells bytes where rows are not counted', () => {
  expect([volume(0, 0), volume(3, 120), volume(0, 13_493_022)]).toEqual(['0', '3', '13.5 MB'])
})

describe('shares', () => {
  it.each([
    [0, 0, '–'],
    [0, 100, '0 %'],
    [1, 1_000_000, '< 0.1 %'],
    [41, 1000, '4.1 %'],
    [500, 1000, '50 %'],
    [999_999, 1_000_000, '> 99.9 %'],
    [7, 7, '100 %'],
  ])('writes %s of %s as %s', (part, whole, text) => expect(percent(part, whole)).toBe(text))
})

describe('durations', () => {
  it.each([
    [null, '–'],
    [-5, '0 ms'],
    [0, '0 ms'],
    [840, '840 ms'],
    [999.6, '1000 ms'],
    [3200, '3.2 s'],
    [5000, '5 s'],
    [9949, '9.9 s'],
    [9950, '10 s'],
    [59_499, '59 s'],
    [59_500, '1 m'],
    [192_000, '3 m 12 s'],
    [3_599_600, '1 h'],
    [7_500_000, '2 h 5 m'],
    [86_400_000, '1 d'],
    [273_600_000, '3 d 4 h'],
  ])('writes %s ms as %s', (ms, text) => expect(duration(ms)).toBe(text))

  it('runs to now while there is no end, and never backwards', () => {
    expect(elapsed('2026-11-23T09:41:00.120Z', null, NOW)).toBe(7000)
    expect(elapsed('2026-11-23T09:42:00Z', null, NOW)).toBe(0)
    expect(elapsed(null, null, NOW)).toBeNull()
  })
})

describe('times', () => {
  it.each([
    ['2026-11-23T09:41:05Z', 'just now'],
    ['2026-11-23T09:40:30Z', '37 s ago'],
    ['2026-11-23T09:33:00Z', '8 m ago'],
    ['2026-11-23T12:41:08Z', 'in 3 h'],
    ['2026-11-20T09:00:00Z', '3 d ago'],
    [null, '–'],
  ])('tells %s as %s', (at, text) => expect(relative(at, NOW)).toBe(text))

  it('names the zone beside the absolute time, on both sides of a clock change', () => {
    expect(absolute('2027-03-28T00:59:59Z', 'Europe/Berlin')).toMatch(/28 Mar 2027, 01:59:59/)
    expect(absolute('2027-03-28T01:00:00Z', 'Europe/Berlin')).toMatch(/28 Mar 2027, 03:00:00/)
    expect(absolute('2026-11-23T09:41:07Z', 'UTC')).toBe('23 Nov 2026, 09:41:07 UTC')
    expect(clock('2026-11-23T09:41:07.120Z', 'UTC')).toBe('09:41:07.120')
  })
})

import { describe, expect, it } from 'vitest'
import { STATES } from '#core/batch.ts'
import { LABELS, TONES, TONE_BAR, TONE_TEXT, rollup, shown } from '#lib/states.ts'

describe('a state on the screen', () => {
  it('has a word and a colour, whichever it is', () => {
    for (const state of STATES) {
      const word = shown({ state })
      expect(LABELS[word]).toMatch(/^[A-Z][a-z]+$/)
      expect(TONE_TEXT[TONES[word]]).toBe(`text-${TONES[word]} bg-${TONES[word]}-bg`)
      expect(TONE_BAR[TONES[word]]).toBe(`bg-${TONES[word]}`)
    }
  })

  it.each([
    [{ state: 'pending' as const }, 'queued'],
    [{ state: 'running' as const, attempt: 1 }, 'running'],
    [{ state: 'running' as const, attempt: 2 }, 'retrying'],
    [{ state: 'succeeded' as const, warnings: [] }, 'succeeded'],
    [{ state: 'succeeded' as const, attempt: 3, warnings: ['w'] }, 'warned'],
    [{ state: 'succeeded' as const, warned: true }, 'warned'],
    [{ state: 'failed' as const, attempt: 3, warned: true }, 'failed'],
  ])('derives %j as %s', (of, word) => expect(shown(of)).toBe(word))
})

describe('one state for many', () => {
  it.each([
    [[], 'queued'],
    [['queued', 'queued'], 'queued'],
    [['succeeded', 'queued'], 'running'],
    [['succeeded', 'running', 'queued'], 'running'],
    [['retrying', 'queued'], 'retrying'],
    [['running', 'failed'], 'failed'],
    [['waiting', 'succeeded'], 'waiting'],
    [['skipped', 'skipped'], 'skipped'],
    [['skipped', 'succeeded'], 'succeeded'],
    [['cancelled', 'succeeded'], 'cancelled'],
    [['warned', 'succeeded'], 'warned'],
  ] as const)('%j is %s', (states, word) => expect(rollup(states)).toBe(word))
})

import { expect, it } from 'vitest'
import { progressText } from '#lib/run/progress.ts'

it.each([
  [{ done: 50, total: 100, unit: 'rows' as const }, 500, '50 %'],
  [
    { done: 50_000, total: 100_000, unit: 'rows' as const },
    5000,
    '50 % · 10 k rows/s · about 5 s left',
  ],
  [{ done: 1000, total: null, unit: 'rows' as const }, 4000, '1 k rows · 250 rows/s'],
  [{ done: 4_000_000, total: null, unit: 'bytes' as const }, 2000, '4 MB · 2 MB/s'],
  [{ done: 3, total: 3, unit: 'files' as const }, 6000, '100 % · 0.5 files/s'],
  [{ done: 0, total: 10, unit: 'rows' as const }, 60_000, '0 %'],
])('%j after %i ms is told as %s', (progress, took, text) =>
  expect(progressText(progress, took)).toBe(text),
)

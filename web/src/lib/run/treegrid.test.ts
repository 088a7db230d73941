import { expect, it } from 'vitest'
import { treegridKey, type Walk } from '#lib/run/treegrid.ts'

const ROWS: Walk[] = [
  { level: 1, open: true },
  { level: 2, open: null },
  { level: 2, open: false },
  { level: 1, open: false },
]

it.each([
  ['ArrowDown', 0, { do: 'move', to: 1 }],
  ['ArrowDown', 3, { do: 'move', to: 3 }],
  ['ArrowUp', 0, { do: 'move', to: 0 }],
  ['ArrowUp', 2, { do: 'move', to: 1 }],
  ['PageDown', 0, { do: 'move', to: 2 }],
  ['PageUp', 3, { do: 'move', to: 1 }],
  ['Home', 3, { do: 'move', to: 0 }],
  ['End', 0, { do: 'move', to: 3 }],
  ['ArrowRight', 0, { do: 'move', to: 1 }],
  ['ArrowRight', 1, null],
  ['ArrowRight', 2, { do: 'toggle', open: true }],
  ['ArrowLeft', 0, { do: 'toggle', open: false }],
  ['ArrowLeft', 2, { do: 'move', to: 0 }],
  ['ArrowLeft', 3, { do: 'move', to: 3 }],
  ['Enter', 1, { do: 'choose' }],
  [' ', 1, { do: 'choose' }],
  ['x', 1, null],
] as const)('%s on row %s', (key, active, act) => {
  expect(treegridKey(key, ROWS, active, 3)).toEqual(act)
})

it('means nothing terrible without rows', () => {
  expect(treegridKey('ArrowDown', [], 0, 3)).toEqual({ do: 'move', to: 0 })
  expect(treegridKey('ArrowRight', [], 0, 3)).toBeNull()
})

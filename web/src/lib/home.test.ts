import { describe, expect, it } from 'vitest'
import type { Batch } from '#lib/api.ts'
import { activeOf, attentionOf, byGroup, timelineOf, usualDuration } from '#lib/home.ts'
import type { State } from '#core/batch.ts'

const batch = (minute: number, state: State, more: Partial<Batch> = {}): Batch => ({
  id: `${more.group_id ?? 'g'}-${more.environment ?? 'dev'}-${minute}`,
  group_id: 'g',
  group_name: 'g',
  environment_id: 'e',
  engine: 'local',
  schedule_id: null,
  due_at: null,
  plan_hash: 'h',
  metadata_version: '1',
  replay_of: null,
  replay_run_id: null,
  requested_by: 'test',
  cancel_requested_by: null,
  can: [],
  environment: 'dev',
  seq: String(minute),
  state,
  trigger: 'schedule',
  attempt: 1,
  created_at: new Date(Date.UTC(2026, 10, 23, 10, minute)).toISOString(),
  started_at: new Date(Date.UTC(2026, 10, 23, 10, minute)).toISOString(),
  finished_at: new Date(Date.UTC(2026, 10, 23, 10, minute, 30)).toISOString(),
  warned: false,
  steps: 0,
  steps_finished: 0,
  cancel_requested_at: null,
  rows_read: 0,
  rows_written: 0,
  rows_quarantined: 0,
  rows_dropped: 0,
  error: null,
  waiting_reason: null,
  ...more,
})
const attention = (...batches: Batch[]) =>
  attentionOf(byGroup(batches).values()).map((entry) => [entry.batch.seq, entry.failures])

describe('what needs attention', () => {
  it('is nothing in an empty or healthy workspace', () => {
    expect(attention()).toEqual([])
    expect(attention(batch(1, 'failed'), batch(2, 'succeeded'))).toEqual([])
  })

  it('is the last failure, once, with how many in a row', () => {
    expect(
      attention(batch(1, 'failed'), batch(2, 'succeeded'), batch(3, 'failed'), batch(4, 'failed')),
    ).toEqual([['4', 2]])
  })

  it('stays while the next batch still runs', () => {
    expect(attention(batch(1, 'failed'), batch(2, 'running', { finished_at: null }))).toEqual([
      ['1', 1],
    ])
  })

  it('is a batch that waits for a person, below the failures', () => {
    expect(
      attention(batch(1, 'waiting', { group_id: 'a' }), batch(0, 'failed', { group_id: 'b' })),
    ).toEqual([
      ['0', 1],
      ['1', 0],
    ])
  })

  it('keeps environments apart: a good run in one does not settle a failure in the other', () => {
    expect(attention(batch(1, 'failed', { environment: 'prod' }), batch(2, 'succeeded'))).toEqual([
      ['1', 1],
    ])
  })
})

it('gives each batch once, newest first, from overlapping lists', () => {
  const [a, b] = [batch(1, 'succeeded'), batch(2, 'succeeded')]
  expect(byGroup([a, b], [b, a]).get('g')).toEqual([b, a])
})

it('lists running before queued, the longest first', () => {
  const list = [
    batch(3, 'running'),
    batch(1, 'pending'),
    batch(2, 'running'),
    batch(4, 'succeeded'),
  ]
  expect(activeOf([list]).map((one) => one.seq)).toEqual(['2', '3', '1'])
})

it('knows how long a batch usually takes from those that succeeded', () => {
  expect(usualDuration([])).toBeNull()
  expect(usualDuration([batch(1, 'failed')])).toBeNull()
  expect(usualDuration([batch(1, 'succeeded'), batch(2, 'failed')])).toBe(30_000)
})

describe('the timeline', () => {
  const NOW = Date.parse('2026-11-23T10:10:00Z')
  const ran = (id: string, created_at: string, finished_at: string | null) =>
    ({ id, created_at, finished_at }) as unknown as Batch

  it('counts a batch in every piece in which it ran, though it began before', () => {
    const buckets = timelineOf(
      [
        ran('a', '2026-11-23T07:50:00Z', '2026-11-23T08:40:00Z'),
        ran('b', '2026-11-23T10:05:00Z', null),
      ],
      ['2026-11-23T10:45:00Z', '2026-11-23T10:50:00Z', '2026-11-23T09:00:00Z'],
      NOW,
      2,
      null,
    )
    expect(buckets).toHaveLength(8)
    expect(buckets.map((bucket) => bucket.batches.map((one) => one.id).join(''))).toEqual([
      'a',
      'a',
      '',
      '',
      'b',
      '',
      '',
      '',
    ])
    expect(buckets.map((bucket) => bucket.starts)).toEqual([0, 0, 0, 0, 0, 2, 0, 0])
  })

  it('says nothing of a time whose batches are not all known', () => {
    const batches = [ran('a', '2026-11-23T08:05:00Z', '2026-11-23T09:40:00Z')]
    const from = Date.parse('2026-11-23T09:00:00Z')
    const buckets = timelineOf(batches, [], NOW, 2, from)
    expect(buckets.map((bucket) => bucket.batches.length)).toEqual([0, 0, 1, 1, 0, 0, 0, 0])
  })
})

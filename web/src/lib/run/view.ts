// The views of batches that an address holds: the list's filter, and what is open on a batch's page.
import { STATES } from '#core/batch.ts'
import { since } from '#lib/since.ts'

/** Several with commas; a leading `-` leaves that one out: `-replay`. Empty where nothing is chosen. */
export type BatchFilter = {
  group?: string
  state?: string
  trigger?: string
  /** A window that ends now: see since.ts. */
  since?: string
  /** A window of its own: ISO instants. Batches that ran at some moment of it. */
  from?: string
  to?: string
  environment?: string
  code?: string
  warned?: string
}

const FILTERS = [
  'group',
  'state',
  'trigger',
  'since',
  'from',
  'to',
  'environment',
  'code',
  'warned',
] as const

/** The filter that an address holds; states that it does not know it leaves out. */
export function readBatchFilter(search: URLSearchParams): BatchFilter {
  const filter: BatchFilter = {}
  for (const name of FILTERS) {
    const value = search.get(name)
    if (value) filter[name] = value
  }
  if (filter.state) {
    const known = filter.state
      .split(',')
      .filter((each) => STATES.some((state) => state === each.replace(/^-/, '')))
    if (known.length > 0) filter.state = known.join(',')
    else delete filter.state
  }
  return filter
}

/** The same filter as the API takes it. `now` decides about windows. */
export function matchOf(filter: BatchFilter, now: number) {
  const group = parted(filter.group)
  const state = parted(filter.state)
  const trigger = parted(filter.trigger)
  const asked = {
    group: group.with,
    not_group: group.without,
    state: state.with,
    not_state: state.without,
    trigger: trigger.with,
    not_trigger: trigger.without,
    environment: filter.environment,
    code: filter.code,
    warned: filter.warned === 'true' ? ('true' as const) : undefined,
    from: filter.from ?? since(filter.since, now),
    to: filter.to,
  }
  return Object.fromEntries(
    Object.entries(asked).filter(([, value]) => value !== undefined),
  ) as Partial<typeof asked>
}

function parted(text: string | undefined): { with?: string; without?: string } {
  const all = text?.split(',').filter(Boolean) ?? []
  const kept = all.filter((each) => !each.startsWith('-'))
  const left = all.filter((each) => each.startsWith('-')).map((each) => each.slice(1))
  return {
    ...(kept.length > 0 && { with: kept.join(',') }),
    ...(left.length > 0 && { without: left.join(',') }),
  }
}

export const BATCH_TABS = ['timeline', 'rules', 'compare', 'logs'] as const
export type BatchTab = (typeof BATCH_TABS)[number]

export type BatchView = {
  tab?: BatchTab
  /** Key of the step whose details are open; on the logs tab only its lines are shown. */
  step?: string
  find?: string
  /** '1': only what went wrong. */
  problems?: string
  level?: string
  /** Number of the log line that the address points at. */
  line?: string
  /** Id of the batch that this one is compared with; the last good one without. */
  with?: string
}

/** The view of a batch that an address holds. */
export function readBatchView(search: URLSearchParams): BatchView {
  return {
    tab: BATCH_TABS.find((tab) => tab === search.get('tab')),
    step: search.get('step') || undefined,
    find: search.get('find') || undefined,
    problems: search.get('problems') || undefined,
    level: search.get('level') || undefined,
    line: /^\d{1,9}$/.exec(search.get('line') ?? '')?.[0],
    with: search.get('with') || undefined,
  }
}

// A sync's plan as a person reads it: what is dangerous first, what must be said by name, what comes along with a choice.
import type { Action, Doing, DriftDecision, Item, SyncRequest } from '#lib/api/sync.ts'
import type { Tone } from '#lib/states.ts'

export type Look = { sign: string; word: string; tone: Tone; danger: boolean }

export const LOOKS: Record<Doing, Look> = {
  create: { sign: '+', word: 'Create', tone: 'ok', danger: false },
  update: { sign: '~', word: 'Update', tone: 'run', danger: false },
  record: { sign: '·', word: 'Note', tone: 'skip', danger: false },
  replace: { sign: '-/+', word: 'Replace', tone: 'fail', danger: true },
  delete: { sign: '-', word: 'Delete', tone: 'fail', danger: true },
  adopt: { sign: '⇐', word: 'Adopt', tone: 'warn', danger: true },
  drift: { sign: '!', word: 'Drift', tone: 'warn', danger: true },
  wait: { sign: '…', word: 'Waits', tone: 'queue', danger: false },
  conflict: { sign: '×', word: 'Conflict', tone: 'fail', danger: true },
  forget: { sign: '·', word: 'Forget', tone: 'skip', danger: false },
}

/** What nobody can apply: it explains itself, and is left out of every choice. */
export function applicable(action: Action): boolean {
  return action.do !== 'wait' && action.do !== 'conflict'
}

/** Dangerous ones first; within that the plan's own order. */
export function inOrder(actions: readonly Action[]): Action[] {
  const rank = (action: Action) => (LOOKS[action.do].danger || action.drift.length > 0 ? 0 : 1)
  return actions
    .map((action, position) => ({ action, position }))
    .sort((a, b) => rank(a.action) - rank(b.action) || a.position - b.position)
    .map(({ action }) => action)
}

export function counts(actions: readonly Action[]): { doing: Doing; count: number }[] {
  const found = new Map<Doing, number>()
  for (const { do: doing } of actions) found.set(doing, (found.get(doing) ?? 0) + 1)
  return (Object.keys(LOOKS) as Doing[]).flatMap((doing) => {
    const count = found.get(doing)
    return count === undefined ? [] : [{ doing, count }]
  })
}

/** The chosen ones and everything that they need, as the server will do it. */
export function withNeeds(actions: readonly Action[], chosen: Iterable<string>): Set<string> {
  const byId = new Map(actions.map((action) => [action.id, action]))
  const all = new Set<string>()
  const take = (id: string) => {
    const action = byId.get(id)
    if (!action || all.has(id)) return
    all.add(id)
    action.needs.forEach(take)
  }
  for (const id of chosen) take(id)
  return all
}

export type Choice = {
  chosen: ReadonlySet<string>
  /** What was typed for each action that takes something away. */
  typed: Readonly<Record<string, string>>
  drift: Readonly<Record<string, DriftDecision | undefined>>
}

/** Why the chosen actions can't be applied yet; undefined: they can. */
export function refusal(actions: readonly Action[], choice: Choice): string | undefined {
  const taken = withNeeds(actions, choice.chosen)
  if (taken.size === 0) return 'Choose what to apply.'
  for (const action of actions) {
    if (!taken.has(action.id)) continue
    if (action.drift.length > 0 && !choice.drift[action.id])
      return `Decide what becomes of the changes made to ${action.name} in the workspace.`
    if (needsName(action) && (choice.typed[action.id] ?? '').trim() !== action.name)
      return `Type the name of ${action.name} to ${LOOKS[action.do].word.toLowerCase()} it.`
  }
  return undefined
}

/** Only with its name typed: Enter alone takes nothing away. */
export function needsName(action: Action): boolean {
  return action.confirm && action.do !== 'drift'
}

export function requestOf(
  plan_id: string,
  actions: readonly Action[],
  choice: Choice,
): SyncRequest {
  const taken = withNeeds(actions, choice.chosen)
  const mine = actions.filter((action) => taken.has(action.id))
  const drift = Object.fromEntries(
    mine.flatMap(({ id }) => {
      const decision = choice.drift[id]
      return decision ? [[id, decision]] : []
    }),
  )
  const confirm = mine.filter(needsName).map(({ id }) => id)
  return {
    plan_id,
    only: mine.map(({ id }) => id),
    ...(confirm.length > 0 && { confirm }),
    ...(Object.keys(drift).length > 0 && { drift }),
  }
}

/** How far the plan has come: by the stored state of each action, which `items` give by position. */
export function stateOf(
  actions: readonly Action[],
  items: readonly Item[],
): Map<string, Item | undefined> {
  const byPosition = new Map(items.map((item) => [item.position, item]))
  return new Map(actions.map((action, position) => [action.id, byPosition.get(position)]))
}

/** A value as one line; absent is a dash. */
export function shown(value: unknown): string {
  if (value === undefined || value === null) return '–'
  return typeof value === 'string' ? value : JSON.stringify(value)
}

// What sources were found to have: one look at a source serves everyone who asks within some minutes, also one who asks again
// after a reload while the look still goes on. Kept in this process alone; a changed source is looked at anew.
import type { Source } from '#core/source.ts'
import type { DiscoveredObject, SourceDoor } from '#engine/source.ts'

const KEEP_MS = 10 * 60_000
/** Of so many sources at the same time: an answer may hold thousands of tables. */
const MOST = 50

export type Discovery = { objects: DiscoveredObject[]; discovered_at: Date }
type Entry = { version: number; started: number; found: Promise<Discovery> }

// By door: two apps in one process (tests) never see each other's sources.
const known = new WeakMap<SourceDoor, Map<string, Entry>>()

/** `fresh`: look again even if the last look is young; a look that goes on is joined all the same. */
export function discovered(door: SourceDoor, source: Source, fresh = false): Promise<Discovery> {
  const entries = known.get(door) ?? new Map<string, Entry>()
  known.set(door, entries)
  const now = Date.now()
  const entry = entries.get(source.id)
  const young = entry?.version === source.version && now - entry.started < KEEP_MS
  if (entry && young && (!fresh || pending.has(entry.found))) return entry.found
  const found = door.discover(source).then((objects) => ({ objects, discovered_at: new Date() }))
  pending.add(found)
  entries.delete(source.id)
  entries.set(source.id, { version: source.version, started: now, found })
  if (entries.size > MOST) entries.delete(entries.keys().next().value!)
  found.then(
    () => pending.delete(found),
    () => {
      pending.delete(found)
      // A failure is not kept: the next one asks again.
      if (entries.get(source.id)?.found === found) entries.delete(source.id)
    },
  )
  return found
}

const pending = new WeakSet<Promise<Discovery>>()

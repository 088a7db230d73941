// The wizard's second half: which of the found tables are taken, and how. Kept in the browser as it changes.
import type { DiscoveredObject, OnboardBody, Source } from '#lib/api/sources.ts'
import { Selection } from '#lib/list/selection.svelte.ts'
import { keepDraft, readDraft } from '#lib/sources/draft.ts'
import { bodyOf, doubles, wantedOf } from '#lib/sources/wish.ts'
import type { Settings, Wanted, Wish } from '#lib/sources/wish.ts'

export const STEPS = ['type', 'connection', 'test', 'tables', 'zones', 'review'] as const
export type StepName = (typeof STEPS)[number]

const KEEP_MS = 300

export class Wizard {
  readonly source: Source
  selection = new Selection()
  /** When the draft was last kept; null before the first change. */
  kept_at = $state<string | null>(null)
  settings = $state<Settings>({
    group_id: '',
    new_group: '',
    bronze_schema: 'bronze',
    silver_schema: 'silver',
    silver: true,
    schema_policy: 'evolve',
  })
  #wishes = $state.raw<Readonly<Record<string, Wish>>>({})
  #objects = $state.raw<readonly DiscoveredObject[]>([])
  #run_key: string
  #timer: ReturnType<typeof setTimeout> | undefined

  constructor(source: Source) {
    this.source = source
    const draft = readDraft(source.id)
    this.selection.add(draft.chosen)
    this.#wishes = draft.wishes
    this.#run_key = draft.run_key
    Object.assign(this.settings, { new_group: source.name, ...draft.settings })
  }

  get run_key(): string {
    return this.#run_key
  }

  set objects(list: readonly DiscoveredObject[]) {
    this.#objects = list
  }

  get objects(): readonly DiscoveredObject[] {
    return this.#objects
  }

  #chosen = $derived.by(() => this.#objects.filter((each) => this.selection.has(each.object)))
  #twice = $derived.by(() =>
    doubles(this.#chosen.map((each) => this.#wishes[each.object]?.name ?? each.name)),
  )

  /** What was chosen and is still there. */
  get chosen(): readonly DiscoveredObject[] {
    return this.#chosen
  }

  wanted(object: DiscoveredObject): Wanted {
    const wanted = wantedOf(
      object,
      this.#wishes[object.object] ?? {},
      this.settings,
      this.source.kind,
    )
    return this.#twice.has(wanted.name) && this.selection.has(object.object)
      ? { ...wanted, faults: [...wanted.faults, 'Another chosen table has this name.'] }
      : wanted
  }

  #faulty = $derived.by(() => this.#chosen.filter((each) => this.wanted(each).faults.length > 0))

  get faulty(): readonly DiscoveredObject[] {
    return this.#faulty
  }

  /** Says something of these tables; undefined takes it back. */
  wish(objects: Iterable<string>, change: Wish): void {
    const next = { ...this.#wishes }
    for (const object of objects) next[object] = { ...next[object], ...change }
    this.#wishes = next
    this.keep()
  }

  body(): OnboardBody {
    const { group_id, new_group, bronze_schema, silver_schema } = this.settings
    return {
      ...(group_id ? { group_id } : { new_group }),
      bronze_schema,
      silver_schema,
      tables: this.#chosen.map((each) =>
        bodyOf(each, this.#wishes[each.object] ?? {}, this.settings, this.source.kind),
      ),
    }
  }

  /** Keeps the draft a moment later; `at_once` when the page goes away. */
  keep(at_once = false): void {
    clearTimeout(this.#timer)
    const write = () => {
      keepDraft(this.source.id, {
        chosen: [...this.selection.ids],
        wishes: this.#wishes,
        settings: $state.snapshot(this.settings),
        run_key: this.#run_key,
      })
      this.kept_at = new Date().toISOString()
    }
    if (at_once) write()
    else this.#timer = setTimeout(write, KEEP_MS)
  }

  /** It is all registered: nothing is left to keep. */
  done(): void {
    clearTimeout(this.#timer)
    keepDraft(this.source.id, null)
  }
}

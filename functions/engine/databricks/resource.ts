// What a sync makes in a workspace, as plain values: one resource a thing, in the order of kinds in which they are made.
export const KINDS = ['folder', 'file', 'schema', 'volume', 'pipeline', 'job', 'table'] as const
export type Kind = (typeof KINDS)[number]

export type Resource = {
  kind: Kind
  /** Stable and unique within kind and environment: a path below the folder, a group's name, a table. */
  key: string
  /** As the workspace shows it. */
  name: string
  /**
   * What is wanted, in the words of the workspace's API. The id of a pipeline that is only known once it is made stands as
   * `${pipeline:key}`.
   */
  spec: Record<string, unknown>
  /** Of a file: where its text comes from. A notebook or library file, or a stored plan, all of it or some of its tables. */
  content?: Content
}
export type Content = { source: string } | { plan_hash: string; targets?: string[] }

/** A thing that a workspace can't do as the metadata says, or does otherwise. `stop`: nothing of the group is published. */
export type Flag = { level: 'note' | 'warn' | 'stop'; group: string; table?: string; text: string }

export const reference = (kind: Kind, key: string) => `\${${kind}:${key}}`
export const REFERENCE = /^\$\{(\w+):(.+)\}$/

/** Marks what is ours: an environment's id is nobody else's. */
export const MARK = 'lakeforge_environment'
export const KEY_MARK = 'lakeforge_key'

/** 16 hex digits, the same everywhere and at once: shortens names that are too long. */
export function shortHash(text: string): string {
  let hash = 0xcbf29ce484222325n
  for (const byte of new TextEncoder().encode(text))
    hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n)
  return hash.toString(16).padStart(16, '0')
}

/** At most `length` characters; a longer one is cut and told apart by a hash of all of it. */
export function fitted(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, length - 17)}-${shortHash(text)}`
}

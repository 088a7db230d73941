// Metadata as files: what they would change, changing it, and all of it as a file. All @throws ApiError.
import type { Change, FieldChange } from '#core/metadata-changes.ts'
import type { KindKey } from '#core/metadata-kinds.ts'
import type { Applied } from '#functions/metadata.ts'
import { request } from '#lib/api/client.ts'
import { read, search, send } from '#lib/api/resource.ts'

export type { Applied, Change, FieldChange, KindKey }
export type MetadataFile = { name: string; text: string }
/** One thing as a file declares it: names instead of ids, defaults left out. */
export type FileObject = Record<string, unknown>
export type MetadataSet = { exported_at_version: number } & Partial<Record<KindKey, FileObject[]>>

export type ApplyOptions = { dry_run: boolean; prune?: boolean; force?: boolean }

export const metadata = {
  apply: (files: readonly MetadataFile[], options: ApplyOptions) =>
    send<Applied>('POST', '/api/apply', { files, ...options }),
  all: (signal?: AbortSignal) => read<MetadataSet>('/api/export?format=json', signal),
  /** As text, for a download. */
  text: async (format: 'yaml' | 'json', group?: string) =>
    (await request(`/api/export${search({ format, group })}`, {})).text(),
}

// The audit: who changed what, and columns that came, went or changed.
import { request } from '#lib/api/client.ts'
import { read, search } from '#lib/api/resource.ts'
import type { Facets, ListPage, ListQuery } from '#lib/api/resource.ts'

export type Change = {
  id: string
  actor: string
  table_name: string
  row_id: string
  name: string | null
  operation: 'insert' | 'update' | 'delete'
  before: Record<string, unknown> | null
  after: Record<string, unknown> | null
  metadata_version: string
  origin: string | null
  changed_at: string
}
export type SchemaChange = {
  id: string
  batch_id: string
  table: string
  group: string
  seq: string
  kind: 'added' | 'missing' | 'retyped' | 'reordered'
  column: string
  from_type: string | null
  to_type: string | null
  outcome: string
  affects: string[]
  created_at: string
}

/** All @throws ApiError. */
export const auditApi = {
  list: (query: ListQuery, signal?: AbortSignal) => {
    const { sort: _, ...asked } = query
    return read<ListPage<Change> & { facets?: Facets }>(`/api/changes${search(asked)}`, signal)
  },
  schemaChanges: (query: ListQuery, signal?: AbortSignal) => {
    const { sort: _, q: __, include: ___, ...asked } = query
    return read<ListPage<SchemaChange>>(`/api/logs/schema-changes${search(asked)}`, signal)
  },
  /** The whole of a filter as a file. */
  exported: async (filter: Record<string, string>, format: 'csv' | 'ndjson') => {
    const accept = format === 'csv' ? 'text/csv' : 'application/x-ndjson'
    return (await request(`/api/changes${search(filter)}`, { headers: { accept } })).blob()
  },
}

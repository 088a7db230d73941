// The doors that every configured thing has, by the name of its collection. An area makes one beside its other calls:
//
//   export const sources = resource<Source, SourceCreate>('sources')
//   const row = await sources.get(id)             // row.version is what a later update expects
//   await sources.update(row.id, { owner: 'ada' }, row.version)
//
// `list` takes what the API takes: q, tag, sort, limit, after, include ('total,facets'), and the filters of the resource.
// All @throws ApiError.
import { request, type Dependant, type Page } from '#lib/api/client.ts'

/** How often each value of a filter stands in the whole list. */
export type Facets = Record<string, { value: string | null; count: number }[]>
export type ListPage<Row> = Page<Row> & { facets?: Facets }
export type ListQuery = Record<string, string | undefined>

export type Resource<Row, Input> = {
  list(query: ListQuery, signal?: AbortSignal): Promise<ListPage<Row>>
  get(id: string, signal?: AbortSignal): Promise<Row>
  create(input: Input, dry_run?: boolean): Promise<Row>
  /** `version` null: whatever it is now. */
  update(id: string, patch: Partial<Input>, version: number | null, dry_run?: boolean): Promise<Row>
  remove(id: string, version: number | null): Promise<void>
  dependants(id: string, signal?: AbortSignal): Promise<Page<Dependant>>
}

export function resource<Row, Input>(collection: string): Resource<Row, Input> {
  const base = `/api/${collection}`
  const one = (id: string) => `${base}/${encodeURIComponent(id)}`
  return {
    list: (query, signal) => read(`${base}${search(query)}`, signal),
    get: (id, signal) => read(one(id), signal),
    create: (input, dry_run) => send('POST', `${base}${dry(dry_run)}`, input),
    update: (id, patch, version, dry_run) =>
      send('PATCH', `${one(id)}${dry(dry_run)}`, patch, ifMatch(version)),
    remove: async (id, version) => {
      await request(one(id), { method: 'DELETE', headers: ifMatch(version) })
    },
    dependants: (id, signal) => read(`${one(id)}/dependants`, signal),
  }
}

/** Reads JSON. @throws ApiError */
export async function read<Answer>(url: string, signal?: AbortSignal): Promise<Answer> {
  return (await request(url, { signal })).json() as Promise<Answer>
}

/** Sends JSON and reads the answer. @throws ApiError */
export async function send<Answer>(
  method: 'POST' | 'PATCH' | 'PUT',
  url: string,
  body: unknown,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const response = await request(url, {
    method,
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  })
  return response.json() as Promise<Answer>
}

/** `?a=b`, without what is empty. */
export function search(query: ListQuery): string {
  const params = new URLSearchParams()
  for (const [key, value] of Object.entries(query)) if (value) params.set(key, value)
  const text = params.toString()
  return text ? `?${text}` : ''
}

function dry(dry_run: boolean | undefined): string {
  return dry_run ? '?dry_run=true' : ''
}

function ifMatch(version: number | null): Record<string, string> {
  return version === null ? {} : { 'if-match': `"${version}"` }
}

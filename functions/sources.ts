// Systems that are read from.
import { SourceCreate, SourcePatch } from '#core/source.ts'
import type { Source } from '#core/source.ts'
import { resource } from './resource.ts'
import { sourceDoors } from './source-doors.ts'

export const sources = resource<Source, typeof SourceCreate, typeof SourcePatch>({
  table: 'source',
  kind: 'source',
  create: SourceCreate,
  patch: SourcePatch,
  filters: ['kind', 'owner'],
}).route('/', sourceDoors)

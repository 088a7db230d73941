// Kind of source → what reads it on the local engine. The same keys as EXTRACTORS of the catalogue.
import type { LocalExtractor } from './extractor.ts'
import { files } from './files.ts'
import { postgres } from './postgres.ts'

export const LOCAL_EXTRACTORS: Record<string, LocalExtractor> = { files, postgres }

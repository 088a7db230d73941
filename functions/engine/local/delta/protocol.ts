// Which tables we can read and write, and the protocol that a table of ours needs.
import { parseType } from '#core/types.ts'
import type { SparkType, Column } from '#core/types.ts'
import { fail } from '#core/errors.ts'
import { corrupt, tableOf } from './log.ts'
import type { LogState, Metadata, Protocol, SchemaField } from './log.ts'

/** Reader features that we know, or that ask nothing of us while no file uses them (checked apart). */
const READABLE = new Set([
  'timestampNtz',
  'deletionVectors',
  'columnMapping',
  'v2Checkpoint',
  'vacuumProtocolCheck',
])

/** Writer features that we keep by doing nothing special; `refuseUnwritable` looks for those in real use. */
const WRITABLE = new Set([
  ...READABLE,
  'appendOnly',
  'invariants',
  'checkConstraints',
  'generatedColumns',
  'allowColumnDefaults',
  'changeDataFeed',
  'identityColumns',
  'domainMetadata',
  'inCommitTimestamp',
])

/** What each legacy writer version stands for, once the features are listed by name. */
const LEGACY_WRITER: [version: number, features: string[]][] = [
  [2, ['appendOnly', 'invariants']],
  [3, ['checkConstraints']],
  [4, ['changeDataFeed', 'generatedColumns']],
  [5, ['columnMapping']],
  [6, ['identityColumns']],
]

/** @throws delta_unsupported, delta_corrupt */
export function refuseUnreadable(
  dir: string,
  state: LogState,
): { protocol: Protocol; metadata: Metadata } {
  const { protocol, metadata } = state
  if (!protocol || !metadata) return corrupt(dir, 'no protocol or no metadata in it')
  if (protocol.minReaderVersion > 3)
    refuse(dir, `reader version ${protocol.minReaderVersion} of the protocol`)
  for (const feature of protocol.readerFeatures ?? [])
    if (!READABLE.has(feature)) refuse(dir, feature)
  if ((metadata.configuration['delta.columnMapping.mode'] ?? 'none') !== 'none')
    refuse(dir, 'columnMapping')
  if (metadata.partitionColumns.length > 0) refuse(dir, 'partitions')
  if (metadata.format.provider !== 'parquet') refuse(dir, `format ${metadata.format.provider}`)
  if (state.vectors.size > 0) refuse(dir, 'deletionVectors')
  return { protocol, metadata }
}

/**
 * Refuses what a commit of ours wouldn't honour: constraints, generated columns, change data and so on.
 * @throws delta_unsupported
 */
export function refuseUnwritable(dir: string, protocol: Protocol, metadata: Metadata): void {
  if (protocol.minWriterVersion > 7)
    refuse(dir, `writer version ${protocol.minWriterVersion} of the protocol`)
  for (const feature of protocol.writerFeatures ?? [])
    if (!WRITABLE.has(feature)) refuse(dir, feature)
  for (const [key, value] of Object.entries(metadata.configuration)) {
    if (key.startsWith('delta.constraints.')) refuse(dir, 'checkConstraints')
    const feature = SWITCHED[key]
    if (feature && value.toLowerCase() === 'true') refuse(dir, feature)
    if (
      key === 'delta.enableDeletionVectors' &&
      value.toLowerCase() === 'true' &&
      !protocol.writerFeatures?.includes('deletionVectors')
    )
      refuse(dir, 'deletionVectors')
  }
  for (const key of metadataKeys(JSON.parse(metadata.schemaString)))
    for (const [prefix, feature] of MARKS) if (key.startsWith(prefix)) refuse(dir, feature)
}

const SWITCHED: Record<string, string> = {
  'delta.enableChangeDataFeed': 'changeDataFeed',
  'delta.enableInCommitTimestamps': 'inCommitTimestamp',
  'delta.enableRowTracking': 'rowTracking',
  'delta.enableIcebergCompatV1': 'icebergCompatV1',
  'delta.enableIcebergCompatV2': 'icebergCompatV2',
}

const MARKS: [prefix: string, feature: string][] = [
  ['delta.invariants', 'invariants'],
  ['delta.generationExpression', 'generatedColumns'],
  ['delta.identity.', 'identityColumns'],
  ['CURRENT_DEFAULT', 'allowColumnDefaults'],
  ['delta.typeChanges', 'typeWidening'],
]

/** All keys of all columns' metadata, nested ones included. */
function metadataKeys(type: unknown): string[] {
  if (type === null || typeof type !== 'object') return []
  const node = type as Record<string, unknown>
  const fields = Array.isArray(node.fields) ? (node.fields as SchemaField[]) : []
  return [
    ...fields.flatMap((field) => [
      ...Object.keys(field.metadata ?? {}),
      ...metadataKeys(field.type),
    ]),
    ...metadataKeys(node.elementType),
    ...metadataKeys(node.keyType),
    ...metadataKeys(node.valueType),
  ]
}

/** The protocol that `columns` need, at least `current`; the same object when nothing has to change. */
export function neededProtocol(current: Protocol | null, columns: readonly Column[]): Protocol {
  const base = current ?? { minReaderVersion: 1, minWriterVersion: 2 }
  const ntz = columns.some((column) => holdsNtz(parseType(column.type)))
  if (!ntz || base.readerFeatures?.includes('timestampNtz')) return base
  const reader =
    base.readerFeatures ??
    (base.minReaderVersion >= 2 && base.minReaderVersion < 3 ? ['columnMapping'] : [])
  const writer =
    base.writerFeatures ??
    LEGACY_WRITER.filter(([version]) => version <= base.minWriterVersion).flatMap(
      ([, features]) => features,
    )
  return {
    minReaderVersion: 3,
    minWriterVersion: 7,
    readerFeatures: unique([...reader, 'timestampNtz']),
    // A feature of readers must stand in both lists.
    writerFeatures: unique([...writer, ...reader, 'timestampNtz']),
  }
}

function unique(names: string[]): string[] {
  return [...new Set(names)].toSorted()
}

function holdsNtz(type: SparkType): boolean {
  switch (type.kind) {
    case 'timestamp_ntz':
      return true
    case 'array':
      return holdsNtz(type.element)
    case 'map':
      return holdsNtz(type.key) || holdsNtz(type.value)
    case 'struct':
      return type.fields.some((field) => holdsNtz(field.type))
    default:
      return false
  }
}

function refuse(dir: string, feature: string): never {
  return fail('delta_unsupported', { table: tableOf(dir), feature })
}

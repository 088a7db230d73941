// JSON Schema of metadata files, made from the schemas that check them: editors complete and underline with it.
import { toJsonSchema } from '@valibot/to-json-schema'
import { columnOf, fieldsOf, KINDS, kindOf } from './metadata-kinds.ts'
import type { Kind } from './metadata-kinds.ts'

type Json = Record<string, unknown>

let made: Json | undefined

/** The JSON Schema (draft 2020-12) of a metadata file. */
export function metadataSchema(): Json {
  return (made ??= {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'LakeForge metadata',
    type: 'object',
    additionalProperties: false,
    properties: {
      $schema: { type: 'string' },
      exported_at_version: {
        type: 'integer',
        minimum: 0,
        description:
          'The metadata version of the export: what has changed otherwise since then is not overwritten.',
      },
      ...Object.fromEntries(
        KINDS.map((kind) => [
          kind.key,
          { type: ['array', 'null'], items: { $ref: `#/$defs/${kind.table}` } },
        ]),
      ),
    },
    $defs: Object.fromEntries(KINDS.map((kind) => [kind.table, objectSchema(kind)])),
  })
}

function objectSchema(kind: Kind): Json {
  const schema = toJsonSchema(kind.create, {
    errorMode: 'ignore',
    target: 'draft-2020-12',
    typeMode: 'input',
  }) as Json
  const properties = schema.properties as Record<string, Json>
  const required = new Set(schema.required as string[])
  const fields = fieldsOf(kind)
  return {
    title: kind.word,
    type: 'object',
    additionalProperties: false,
    properties: {
      ...Object.fromEntries(
        fields.map((field) => {
          const column = columnOf(kind, field)
          const own = properties[column]!
          const ref = kind.refs[field]
          if (!ref) return [field, own]
          const title = titleOf(own)
          const optional = !required.has(column)
          return [
            field,
            {
              ...(title && { title }),
              description: `Name of the ${kindOf(ref.kind).word}${ref.kind === 'raw_configs' ? ', as source.name' : ''}.`,
              type: optional ? ['string', 'null'] : 'string',
            },
          ]
        }),
      ),
      previous_name: {
        type: 'string',
        description: 'The former name: renames instead of making anew.',
      },
    },
    required: fields.filter((field) => required.has(columnOf(kind, field))),
  }
}

function titleOf(schema: Json): string | undefined {
  if (typeof schema.title === 'string') return schema.title
  for (const each of (schema.anyOf as Json[] | undefined) ?? []) {
    const title = titleOf(each)
    if (title !== undefined) return title
  }
  return undefined
}

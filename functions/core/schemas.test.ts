import { toJsonSchema } from '@valibot/to-json-schema'
import * as v from 'valibot'
import { describe, expect, it } from 'vitest'
import { BronzeConfigCreate, BronzeConfigPatch } from './bronze-config.ts'
import { ComputeProfileCreate, ComputeProfilePatch } from './compute-profile.ts'
import { DqRuleCreate, DqRulePatch } from './dq-rule.ts'
import { EnvironmentCreate, EnvironmentPatch } from './environment.ts'
import { EXTRACTORS, rawFaults, rawOptions, sourceOptions } from './extractors.ts'
import { messageOf, patched } from './fields.ts'
import { GoldConfigCreate, GoldConfigPatch } from './gold-config.ts'
import { GroupCreate, GroupPatch } from './group.ts'
import { RawConfigCreate, RawConfigPatch } from './raw-config.ts'
import { RuleSetCreate, RuleSetPatch } from './rule-set.ts'
import { ScheduleCreate, SchedulePatch } from './schedule.ts'
import { SilverConfigCreate, SilverConfigPatch } from './silver-config.ts'
import { SourceCreate, SourcePatch } from './source.ts'
import { TokenCreate, TokenPatch } from './token.ts'

const ID = '01890a5d-ac96-774b-bcce-b302099a8057'
const files = { name: 'shop', kind: 'files', options: { root: '/data' } }
const server = {
  name: 'shop',
  kind: 'postgres',
  options: { host: 'db', database: 'd', user: 'u', password: 'secret://shop/password' },
}
const raw = { name: 'orders', source_id: ID, group_id: ID, object: '*.csv', read_mode: 'files' }
const incremental = { ...raw, read_mode: 'incremental', cursor: { column: 'changed' } }
const silver = { group_id: ID, target: 's.orders', from: ['b.orders'], load_type: 'append' }
const rule = { name: 'r', target: 's.orders', check: 'not_null', columns: ['id'] }

const ALL = {
  bronze: [BronzeConfigCreate, BronzeConfigPatch, { raw_id: ID, target: 'b.orders' }],
  compute_profile: [ComputeProfileCreate, ComputeProfilePatch, { name: 'small' }],
  dq_rule: [DqRuleCreate, DqRulePatch, rule],
  environment: [EnvironmentCreate, EnvironmentPatch, { name: 'laptop', engine: 'local' }],
  gold: [GoldConfigCreate, GoldConfigPatch, { group_id: ID, target: 'g.t', query: 'select 1' }],
  group: [GroupCreate, GroupPatch, { name: 'shop' }],
  raw: [RawConfigCreate, RawConfigPatch, raw],
  rule_set: [RuleSetCreate, RuleSetPatch, { name: 'ids', rules: [] }],
  schedule: [ScheduleCreate, SchedulePatch, { name: 'daily', quartz_cron: '0 0 6 * * ?' }],
  silver: [SilverConfigCreate, SilverConfigPatch, silver],
  source: [SourceCreate, SourcePatch, files],
  token: [TokenCreate, TokenPatch, { name: 'ci', role: 'operator' }],
} as const

/** `path: message` of each fault. */
function wrong(schema: v.GenericSchema, value: unknown): string[] {
  const result = v.safeParse(schema, value)
  if (result.success) return []
  return result.issues.map((issue) => `${v.getDotPath(issue)}: ${messageOf(issue)}`)
}

describe.each(Object.entries(ALL))('%s', (_, [create, patch, least]) => {
  it('takes the least, fills in the rest, and takes its own answer again', () => {
    const full = v.parse(create as v.GenericSchema, least)
    expect(full).toMatchObject(least)
    expect(v.parse(create as v.GenericSchema, full)).toEqual(full)
  })

  it('refuses fields that it does not know', () => {
    expect(wrong(create, { ...least, colour: 'red' })).toEqual([expect.stringMatching(/^colour:/)])
    expect(wrong(patch, { colour: 'red' })).toEqual([expect.stringMatching(/^colour:/)])
  })

  it('fills nothing in where it patches', () => {
    expect(v.parse(patch as v.GenericSchema, {})).toEqual({})
    expect(v.parse(patch as v.GenericSchema, { description: 'new' })).toEqual({
      description: 'new',
    })
  })

  it('has a JSON Schema with a title for each field', () => {
    const schema = toJsonSchema(create as v.GenericSchema, {
      typeMode: 'input',
      errorMode: 'ignore',
    }) as { properties: Record<string, { title?: string; anyOf?: { title?: string }[] }> }
    for (const [name, property] of Object.entries(schema.properties)) {
      const title = property.title ?? property.anyOf?.[0]?.title
      expect(`${name}: ${title}`).not.toMatch(/undefined/)
    }
  })
})

describe('what fields say together', () => {
  it.each<[string, v.GenericSchema, unknown, string]>([
    ['a source of no kind', SourceCreate, { ...files, kind: 'ftp' }, 'kind'],
    ['a folder without a root', SourceCreate, { ...files, options: {} }, 'options.root'],
    [
      'an option of another kind',
      SourceCreate,
      { ...files, options: { root: '/', host: 'x' } },
      'options.host',
    ],
    [
      'a password in place of its reference',
      SourceCreate,
      { ...server, options: { ...server.options, password: 'hunter2' } },
      'options.password',
    ],
    [
      'an incremental read without a cursor',
      RawConfigCreate,
      { ...raw, read_mode: 'incremental' },
      'cursor',
    ],
    [
      'a cursor of another read mode',
      RawConfigCreate,
      { ...incremental, read_mode: 'full' },
      'cursor',
    ],
    [
      'a lag without keys',
      RawConfigCreate,
      { ...incremental, cursor: { column: 'changed', lag_s: 300 } },
      'cursor.lag_s',
    ],
    [
      'a cursor that is no column',
      RawConfigCreate,
      { ...incremental, columns: [{ name: 'id', type: 'int' }] },
      'cursor.column',
    ],
    [
      'a key that is no column',
      RawConfigCreate,
      { ...raw, keys: ['no'], columns: [{ name: 'id', type: 'int' }] },
      'keys.0',
    ],
    [
      'a type that Spark has not',
      RawConfigCreate,
      { ...raw, columns: [{ name: 'id', type: 'uuid' }] },
      'columns.0.type',
    ],
    [
      'columns that differ in case alone',
      RawConfigCreate,
      {
        ...raw,
        columns: [
          { name: 'id', type: 'int' },
          { name: 'ID', type: 'int' },
        ],
      },
      'columns',
    ],
    ['merge without keys', SilverConfigCreate, { ...silver, load_type: 'merge' }, 'keys'],
    [
      'scd2 without a sequence',
      SilverConfigCreate,
      { ...silver, load_type: 'scd2', keys: ['id'] },
      'sequence_by',
    ],
    [
      'a load type that no engine has',
      SilverConfigCreate,
      { ...silver, load_type: 'snapshot', keys: ['id'] },
      'load_type',
    ],
    ['deletes of append', SilverConfigCreate, { ...silver, delete_when: 'gone' }, 'delete_when'],
    ['dedupe without keys', SilverConfigCreate, { ...silver, dedupe: true }, 'keys'],
    [
      'a second table without a join',
      SilverConfigCreate,
      { ...silver, from: ['b.orders', 'b.items'] },
      'from.1',
    ],
    ['a table made from itself', SilverConfigCreate, { ...silver, from: ['s.orders'] }, 'target'],
    [
      'a key that is not selected',
      SilverConfigCreate,
      { ...silver, keys: ['id'], select: [{ name: 'a', expression: '1' }] },
      'keys.0',
    ],
    ['a table without schema', SilverConfigCreate, { ...silver, target: 'orders' }, 'target'],
    ['a name that leaves the folder', SourceCreate, { ...files, name: '../etc' }, 'name'],
    ['a cron of Unix', ScheduleCreate, { name: 'x', quartz_cron: '0 6 * * *' }, 'quartz_cron'],
    ['no cron', ScheduleCreate, { name: 'x' }, 'quartz_cron'],
    [
      'a zone that is nowhere',
      ScheduleCreate,
      { name: 'x', quartz_cron: '0 0 6 * * ?', timezone: 'Mars/Base' },
      'timezone',
    ],
    [
      'a rule that a job has not',
      ScheduleCreate,
      {
        name: 'x',
        quartz_cron: '0 0 6 * * ?',
        fired_by: 'workspace',
        misfire: 'skip',
        jitter_s: 5,
      },
      'jitter_s',
    ],
    [
      'workers of a single node',
      ComputeProfileCreate,
      { name: 'x', single_node: true, workers: 2 },
      'single_node',
    ],
    ['half an autoscale', ComputeProfileCreate, { name: 'x', min_workers: 2 }, 'max_workers'],
    [
      'a workspace without host',
      EnvironmentCreate,
      { name: 'x', engine: 'databricks', root: '/r', catalog: 'c' },
      'host',
    ],
    ['unique without columns', DqRuleCreate, { ...rule, check: 'unique', columns: [] }, 'columns'],
    ['a range without bounds', DqRuleCreate, { ...rule, check: 'range' }, 'options'],
    [
      'a range that is empty',
      DqRuleCreate,
      { ...rule, check: 'range', options: { min: 2, max: 1 } },
      'options',
    ],
    [
      'no accepted value',
      DqRuleCreate,
      { ...rule, check: 'accepted_values', options: { values: [] } },
      'options.values',
    ],
    [
      'a reference with too few columns',
      DqRuleCreate,
      {
        ...rule,
        check: 'referential',
        columns: ['a', 'b'],
        options: { table: 's.t', columns: ['a'] },
      },
      'options.columns',
    ],
    ['a threshold above 1', DqRuleCreate, { ...rule, threshold: 5 }, 'threshold'],
    [
      'a parameter that is not there',
      RuleSetCreate,
      {
        name: 'x',
        rules: [{ name: 'r', check: 'range', columns: ['a'], options: { min: '{{least}}' } }],
      },
      'rules.0',
    ],
    [
      'a notify that is no web address',
      GroupCreate,
      { name: 'x', notify: [{ url: 'file:///etc/passwd' }] },
      'notify.0.url',
    ],
  ])('refuses %s at its path, in words of its own', (_, schema, value, path) => {
    const faults = wrong(schema, value)
    expect(faults.map((fault) => fault.split(': ')[0])).toContain(path)
    expect(faults.join()).not.toMatch(/received|hunter2|etc\/passwd|Mars|ftp/)
  })

  it('takes rules of a set whose options come from parameters', () => {
    const set = {
      name: 'x',
      parameters: { least: 0, kinds: ['a', 'b'] },
      rules: [
        { name: 'r', check: 'range', columns: ['a'], options: { min: '{{least}}' } },
        { name: 'v', check: 'accepted_values', columns: ['a'], options: { values: '{{kinds}}' } },
      ],
    }
    expect(wrong(RuleSetCreate, set)).toEqual([])
    expect(wrong(RuleSetCreate, { ...set, parameters: { least: true, kinds: [] } })).toEqual([
      expect.stringMatching(/^rules\.0\.options\.min/),
      expect.stringMatching(/^rules\.1\.options\.values/),
    ])
  })
})

describe('extractors', () => {
  it('check a raw config against the kind of its source', () => {
    const paths = (kind: string, value: Record<string, unknown>) =>
      [
        ...rawFaults(kind, {
          chunking: null,
          format: null,
          options: {},
          read_mode: 'files',
          ...value,
        }),
      ].map(({ path }) => path.join('.'))
    expect(paths('files', { format: 'csv' })).toEqual([])
    expect(paths('files', { format: 'xlsx' })).toEqual(['format'])
    expect(paths('files', { format: 'toString' })).toEqual(['format'])
    expect(paths('files', {})).toEqual(['format'])
    expect(paths('files', { format: 'csv', options: { quote: '""' } })).toEqual(['options.quote'])
    expect(paths('files', { format: 'parquet', options: { header: true } })).toEqual([
      'options.header',
    ])
    expect(paths('files', { format: 'csv', read_mode: 'full', chunking: {} })).toEqual([
      'read_mode',
      'chunking',
    ])
    expect(paths('postgres', { format: 'table', read_mode: 'incremental', chunking: {} })).toEqual(
      [],
    )
    expect(paths('constructor', { format: 'csv' })).toEqual(['source_id'])
  })

  it('fill in what options leave out', () => {
    expect(rawOptions('files', 'csv', {})).toMatchObject({
      delimiter: ',',
      header: true,
      null_values: [''],
    })
    expect(rawOptions('files', 'tsv', {})).toMatchObject({ delimiter: '\t' })
    expect(sourceOptions('postgres', server.options)).toMatchObject({
      port: 5432,
      sslmode: 'require',
    })
  })

  it('mark what is secret', () => {
    const entries = (
      EXTRACTORS.postgres.source_options as unknown as {
        entries: Record<string, v.GenericSchema & { wrapped: v.GenericSchema }>
      }
    ).entries
    expect(v.getMetadata(entries.password!.wrapped as never)).toEqual({ secret: true })
  })
})

it('validates a patch together with the row that it is for', () => {
  const row = {
    ...v.parse(SilverConfigCreate, silver),
    id: ID,
    version: 3,
    name: 'orders',
    derived: null,
  }
  const merged = patched(SilverConfigCreate, row, { load_type: 'merge' })
  expect(merged).not.toHaveProperty('version')
  expect(wrong(SilverConfigCreate, merged)).toEqual(['keys: Merge needs keys.'])
  expect(wrong(SilverConfigCreate, { ...merged, keys: ['id'] })).toEqual([])
})

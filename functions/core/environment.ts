// An environment: where groups run.
import * as v from 'valibot'
import { described, checked, field, line, name, orElse, orNull } from './fields.ts'
import type { Configured, Fault } from './fields.ts'

const entries = {
  ...described,
  engine: field(v.picklist(['local', 'spark', 'databricks']), 'Engine'),
  is_default: orElse(
    field(v.boolean(), 'Default', 'Where groups run unless told otherwise.'),
    false,
  ),
  root: orElse(
    field(
      v.pipe(v.string(), v.trim(), v.maxLength(1000, 'At most 1000 characters.')),
      'Root',
      'Folder of the lake; empty for a local one: the folder lake in the home.',
    ),
    '',
  ),
  home_id: orNull(field(line, 'Home', 'Which home drives a local environment.')),
  catalog: orNull(field(name, 'Catalog', 'Of Unity Catalog.')),
  prefix: orElse(
    field(
      v.pipe(
        v.string(),
        v.regex(/^[a-z0-9_]{0,50}$/, 'Use a-z, 0-9 and _, at most 50 characters.'),
      ),
      'Prefix',
      'Before schema names, so that several environments share a catalog.',
    ),
    '',
  ),
  schedules_paused: orElse(field(v.boolean(), 'Schedules paused'), false),
  host: orNull(
    field(
      v.pipe(
        line,
        // Plain http only to this machine: a fake workspace to try things with
        v.regex(
          /^(?:https:\/\/[^\s/]+|http:\/\/(?:localhost|127\.0\.0\.1)(?::\d{1,5})?)\/?$/i,
          'Give https:// and the host.',
        ),
      ),
      'Workspace',
      '',
      {
        placeholder: 'https://adb-1.1.azuredatabricks.net',
      },
    ),
  ),
  run_as: orNull(field(line, 'Run as', 'User or service principal of the jobs.')),
  rules_need_approval: orElse(
    field(v.boolean(), 'Rules need approval', 'New rules start as proposed.'),
    false,
  ),
  extra_confirmation: orElse(
    field(v.boolean(), 'Ask once more', 'Changes here ask once more.'),
    false,
  ),
}
const Plain = v.strictObject(entries)

export const EnvironmentCreate = checked(Plain, environmentFaults)
export type EnvironmentCreate = v.InferOutput<typeof EnvironmentCreate>
export const EnvironmentPatch = v.partial(Plain)
export type EnvironmentPatch = v.InferOutput<typeof EnvironmentPatch>
export type Environment = Configured & EnvironmentCreate

function* environmentFaults(environment: v.InferOutput<typeof Plain>): Generator<Fault> {
  if (environment.engine === 'databricks') {
    if (environment.host === null) yield { path: ['host'], message: 'A workspace has a host.' }
    if (environment.catalog === null) yield { path: ['catalog'], message: 'Say in which catalog.' }
  } else if (environment.host !== null) {
    yield { path: ['host'], message: 'Only a Databricks environment has a host.' }
  }
  if (environment.engine !== 'local' && environment.root === '') {
    yield { path: ['root'], message: 'Say where the lake lies.' }
  }
}

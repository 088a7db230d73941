// A rule set: rules with parameters, for every table that has one of its tags or whose name fits.
import * as v from 'valibot'
import { checkFaults } from './checks.ts'
import { described, checked, field, line, orElse, unique } from './fields.ts'
import type { Configured, Fault } from './fields.ts'
import { RULE_STATUSES, ruleEntries } from './dq-rule.ts'

const Rule = v.strictObject(ruleEntries)
const PARAMETER = /^[a-z][a-z0-9_]{0,62}$/

const entries = {
  ...described,
  rules: field(
    v.pipe(
      v.array(Rule),
      v.check((list) => unique(list.map(({ name }) => name)), 'Two rules have the same name.'),
    ),
    'Rules',
    'In options and filter {{parameter}} stands for the value of a parameter.',
  ),
  parameters: orElse(
    field(
      v.record(
        v.pipe(v.string(), v.regex(PARAMETER, 'Use a-z, 0-9 and _, starting with a letter.')),
        v.unknown(),
      ),
      'Parameters',
      'Name and value.',
    ),
    {},
  ),
  attach_tags: orElse(field(v.array(line), 'Tags', 'Tables with one of them get the rules.'), []),
  attach_tables: orElse(
    field(
      v.array(
        v.pipe(
          v.string(),
          v.regex(/^[a-z0-9_*]+\.[a-z0-9_*]+$/, 'Write schema.table; * stands for any part.'),
        ),
      ),
      'Tables',
      'schema.table; * stands for any part.',
    ),
    [],
  ),
  zones: orElse(
    field(
      v.pipe(v.array(v.picklist(['bronze', 'silver', 'gold'])), v.minLength(1, 'At least one.')),
      'Zones',
    ),
    ['silver'],
  ),
  status: orElse(field(v.picklist(RULE_STATUSES), 'Status', 'Only approved sets run.'), 'approved'),
}
const Plain = v.strictObject(entries)

export const RuleSetCreate = checked(Plain, setFaults)
export type RuleSetCreate = v.InferOutput<typeof RuleSetCreate>
export const RuleSetPatch = v.partial(Plain)
export type RuleSetPatch = v.InferOutput<typeof RuleSetPatch>
export type RuleSet = Configured & RuleSetCreate

function* setFaults(set: v.InferOutput<typeof Plain>): Generator<Fault> {
  for (const [index, rule] of set.rules.entries()) {
    const unknown = new Set<string>()
    const filled = fillParameters(rule, set.parameters, (name) => unknown.add(name)) as typeof rule
    for (const name of unknown) {
      yield { path: ['rules', index], message: `There is no parameter ${name}.` }
    }
    if (unknown.size > 0) continue
    for (const fault of checkFaults(filled)) {
      yield { path: ['rules', index, ...fault.path], message: fault.message }
    }
  }
}

/**
 * The value with `{{parameter}}` replaced in every text inside it; a text that is nothing but one takes the parameter's value
 * as it is, a list too. `missing` hears of parameters that are not there, which stay as written.
 */
export function fillParameters(
  value: unknown,
  parameters: Record<string, unknown>,
  missing: (name: string) => void,
): unknown {
  if (Array.isArray(value)) return value.map((each) => fillParameters(each, parameters, missing))
  if (value !== null && typeof value === 'object') {
    return Object.fromEntries(
      Object.entries(value).map(([key, each]) => [key, fillParameters(each, parameters, missing)]),
    )
  }
  if (typeof value !== 'string') return value
  const known = (name: string) => Object.hasOwn(parameters, name) || (missing(name), false)
  const whole = /^\{\{(\w+)\}\}$/.exec(value)
  if (whole) return known(whole[1]!) ? parameters[whole[1]!] : value
  return value.replace(/\{\{(\w+)\}\}/g, (text, name: string) =>
    known(name) ? String(parameters[name]) : text,
  )
}

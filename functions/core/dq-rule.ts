// A rule: a check on the rows of a table, and what happens to those that fail it.
import * as v from 'valibot'
import { CHECK_KINDS, checkFaults } from './checks.ts'
import {
  columnNames,
  described,
  checked,
  field,
  name,
  orElse,
  orNull,
  sqlText,
  tableName,
} from './fields.ts'
import type { Configured } from './fields.ts'

export const RULE_STATUSES = ['draft', 'proposed', 'approved', 'rejected', 'disabled'] as const

/** What a rule says, wherever it is attached. */
export const ruleEntries = {
  name: field(name, 'Name', 'Unique among the rules of its table.'),
  check: field(v.picklist(CHECK_KINDS), 'Check'),
  columns: orElse(field(columnNames, 'Columns', 'What it looks at.'), []),
  options: orElse(field(v.record(v.string(), v.unknown()), 'Options', 'Of the check.'), {}),
  filter: orNull(
    field(sqlText, 'Filter', 'Databricks SQL; the rule looks only at rows where it is true.'),
  ),
  on_fail: orElse(
    field(
      v.picklist(['warn', 'drop', 'quarantine', 'fail']),
      'On failure',
      'warn: the row stays. drop: it goes. quarantine: it goes to <table>_quarantine. fail: nothing is written.',
    ),
    'warn',
  ),
  threshold: orElse(
    field(
      v.pipe(v.number(), v.minValue(0, 'From 0 to 1.'), v.maxValue(1, 'From 0 to 1.')),
      'Threshold',
      'Share of rows, 0 to 1, that may fail before on_fail applies.',
    ),
    0,
  ),
  null_passes: orElse(
    field(v.boolean(), 'Null passes', 'Whether a row passes for which the check yields null.'),
    false,
  ),
}

const entries = {
  ...described,
  ...ruleEntries,
  target: field(tableName, 'Table', 'schema.table of bronze, silver or gold.'),
  status: orElse(
    field(v.picklist(RULE_STATUSES), 'Status', 'Only approved rules run.'),
    'approved',
  ),
  origin: orElse(
    field(v.picklist(['manual', 'suggested', 'imported', 'assistant']), 'Origin'),
    'manual',
  ),
}
const Plain = v.strictObject(entries)

export const DqRuleCreate = checked(Plain, checkFaults)
export type DqRuleCreate = v.InferOutput<typeof DqRuleCreate>
export const DqRulePatch = v.partial(Plain)
export type DqRulePatch = v.InferOutput<typeof DqRulePatch>
export type DqRule = Configured & DqRuleCreate & { fingerprint: string }

// sync, drift, bundle: a workspace brought in step, looked at, or left with files of its own.
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join, resolve, sep } from 'node:path'
import type { SyncPlan } from '#engine/databricks/sync-plan.ts'
import type { SyncRun } from '#engine/databricks/sync-run.ts'
import { CliError } from './client.ts'
import { confirmed, paint, plain, words } from './io.ts'
import type { Format, Io } from './io.ts'
import { ENV } from './verb.ts'
import type { Verb } from './verb.ts'

type Action = SyncPlan['actions'][number]
type Drift = {
  plan_id: string
  environment: string
  items: Pick<Action, 'id' | 'name' | 'drift' | 'drift_at'>[]
  ignored: { id: string; fields: Record<string, unknown> }[]
}

const list = (value: string | boolean | undefined) =>
  typeof value === 'string'
    ? value
        .split(',')
        .map((each) => each.trim())
        .filter(Boolean)
    : []

export const sync: Verb = {
  name: 'sync',
  takes: '',
  summary: 'Bring a workspace in step with the metadata: plan, show, apply.',
  about: [
    'Nothing changed means nothing is written. What replaces or deletes something, or touches what others made, is done only with its name in --confirm; changes made in the workspace only with --overwrite or --ignore.',
  ],
  options: {
    env: ENV,
    plan: { type: 'boolean', help: 'Only show what would be done.' },
    only: {
      type: 'string',
      value: 'ids',
      help: 'These actions and what they need: job:sales,pipeline:sales.',
    },
    confirm: {
      type: 'string',
      value: 'ids',
      help: 'Actions that replace, delete or adopt, by name.',
    },
    overwrite: {
      type: 'string',
      value: 'ids',
      help: 'Changes in the workspace that are taken back.',
    },
    ignore: { type: 'string', value: 'ids', help: 'Changes in the workspace that stay.' },
    adopt: {
      type: 'string',
      value: 'ids',
      help: 'Changes in the workspace that the metadata takes over.',
    },
    yes: { type: 'boolean', help: 'Do not ask.' },
  },
  formats: ['text', 'md', 'json'],
  least: 0,
  most: 0,
  examples: [
    'lakeforge sync --plan',
    'lakeforge sync --env prod --yes',
    'lakeforge sync --confirm pipeline:sales',
  ],
  async run({ io, options, format, client }) {
    const api = await client()
    const plan = await api.post<SyncPlan>(
      '/api/sync/plan',
      options.env ? { environment: options.env } : {},
    )
    if (options.plan === true) {
      if (format === 'json') io.out(JSON.stringify(plan))
      else for (const line of planLines(io, plan, format)) io.out(line)
      return 0
    }
    if (format !== 'json') for (const line of planLines(io, plan, format)) io.out(line)
    const drift: Record<string, string> = {}
    for (const how of ['overwrite', 'ignore', 'adopt'] as const)
      for (const id of list(options[how])) drift[id] = how
    const confirm = list(options.confirm)
    const only = list(options.only)
    const able = plan.actions.filter(
      (each) =>
        each.do !== 'wait' &&
        each.do !== 'conflict' &&
        (!each.confirm || confirm.includes(each.id) || each.id in drift),
    )
    if (able.length === 0) {
      if (format === 'json')
        io.out(JSON.stringify({ plan_id: plan.id, state: 'succeeded', actions_done: 0 }))
      return 0
    }
    if (
      options.yes !== true &&
      !(await confirmed(io, `Do ${words(able.length, 'action')} in ${plan.environment}?`))
    )
      return 1
    let run = await api.post<SyncRun>('/api/sync', {
      plan_id: plan.id,
      // What nobody has spoken for stays behind, and is shown above
      unattended: only.length === 0,
      ...(only.length > 0 && { only }),
      ...(confirm.length > 0 && { confirm }),
      ...(Object.keys(drift).length > 0 && { drift }),
    })
    while (run.state === 'running') {
      if (format === 'text')
        io.err(paint(io, 'dim', `${run.actions_done} of ${run.actions_planned} done …`))
      run = await api.post<SyncRun>('/api/sync', { sync_id: run.id })
    }
    if (format === 'json') io.out(JSON.stringify(run))
    else {
      for (const each of run.report?.failed ?? [])
        io.err(`${paint(io, 'red', plain(each.id))}: ${plain(each.message)} ${plain(each.hint)}`)
      io.out(
        `${words(run.actions_done, 'action')} done${run.report?.failed.length ? `, ${run.report.failed.length} failed` : ''}.`,
      )
    }
    return run.state === 'succeeded' ? 0 : 1
  },
}

export const drift: Verb = {
  name: 'drift',
  takes: '',
  summary: 'What somebody changed in the workspace since the last sync.',
  options: { env: ENV },
  formats: ['text', 'md', 'json'],
  least: 0,
  most: 0,
  examples: ['lakeforge drift', 'lakeforge drift --env prod --json'],
  async run({ io, options, format, client }) {
    const found = await (
      await client()
    ).get<Drift>(
      `/api/sync/drift${options.env ? `?environment=${encodeURIComponent(String(options.env))}` : ''}`,
    )
    if (format === 'json') io.out(JSON.stringify(found))
    else if (found.items.length === 0) io.out(`Nothing was changed in ${plain(found.environment)}.`)
    else
      for (const item of found.items) {
        io.out(
          format === 'md'
            ? `- **${item.id}**${item.drift_at ? ` (${item.drift_at})` : ''}`
            : `${paint(io, 'yellow', plain(item.id))}${item.drift_at ? paint(io, 'dim', `  ${item.drift_at}`) : ''}`,
        )
        for (const { path, before, after } of item.drift)
          io.out(
            `${format === 'md' ? '  - ' : '    '}${plain(path)}: here ${value(after)}, there ${value(before)}`,
          )
      }
    return found.items.length === 0 ? 0 : 1
  },
}

export const bundle: Verb = {
  name: 'bundle',
  takes: '<dir>',
  summary: 'Write what sync would make as a Declarative Automation Bundle.',
  about: ['The official CLI deploys it without LakeForge: databricks bundle deploy.'],
  options: { env: ENV },
  formats: ['text', 'json'],
  least: 1,
  most: 1,
  examples: ['lakeforge bundle out --env prod'],
  async run({ io, args, options, format, client }) {
    const dir = resolve(args[0]!)
    const { files, flags } = await (
      await client()
    ).get<{ files: { path: string; text: string }[]; flags: SyncPlan['flags'] }>(
      `/api/sync/bundle${options.env ? `?environment=${encodeURIComponent(String(options.env))}` : ''}`,
    )
    for (const { path, text } of files) {
      const target = resolve(dir, path)
      if (!target.startsWith(dir + sep))
        throw new CliError({ code: 'internal', detail: `${path} leads out of the folder.` })
      await mkdir(dirname(target), { recursive: true })
      await writeFile(target, text)
    }
    if (format === 'json')
      io.out(JSON.stringify({ dir, files: files.map((each) => each.path), flags }))
    else {
      for (const flag of flags)
        io.err(`${flag.group}${flag.table ? ` ${flag.table}` : ''}: ${plain(flag.text)}`)
      io.out(`${words(files.length, 'file')} in ${join(args[0]!)}.`)
    }
    return 0
  },
}

const STYLE = {
  create: 'green',
  update: 'yellow',
  record: 'dim',
  replace: 'red',
  delete: 'red',
  adopt: 'yellow',
  drift: 'yellow',
  wait: 'dim',
  conflict: 'red',
  forget: 'dim',
} as const
/** Of a plan of thousands one reads the first. */
const SHOWN = 500

function planLines(io: Io, plan: SyncPlan, format: Format): string[] {
  const lines: string[] = []
  const md = format === 'md'
  for (const flag of plan.flags)
    lines.push(
      `${md ? '> ' : ''}${paint(io, flag.level === 'stop' ? 'red' : 'yellow', flag.level)} ${plain([flag.group, flag.table].filter(Boolean).join(' '))}: ${plain(flag.text)}`,
    )
  for (const action of plan.actions.slice(0, SHOWN)) {
    const word = action.confirm ? ' (needs your word)' : ''
    lines.push(
      md
        ? `- **${action.do}** \`${action.id}\`: ${plain(action.reason)}${word}`
        : `${paint(io, STYLE[action.do], action.do.padEnd(8))} ${plain(action.id)}  ${paint(io, 'dim', plain(action.reason))}${word}`,
    )
    for (const { path, before, after } of action.do === 'create'
      ? []
      : [...action.changes, ...action.drift].slice(0, 10))
      lines.push(`${md ? '  - ' : '    '}${plain(path)}: ${value(before)} → ${value(after)}`)
    if (action.blast)
      lines.push(
        `${md ? '  - ' : '    '}${plain(action.blast.text)} ${words(action.blast.tables.length, 'table')}, ${action.blast.rows} rows, ${action.blast.bytes} bytes.`,
      )
  }
  if (plan.actions.length > SHOWN)
    lines.push(`… and ${plan.actions.length - SHOWN} more: --json has all.`)
  for (const each of plan.cost.filter((one) => one.over_budget))
    lines.push(
      `${paint(io, 'yellow', 'budget')} ${each.group}: about ${each.month!.toFixed(2)} a month, of ${each.budget} allowed.`,
    )
  const todo = plan.actions.filter((each) => each.do !== 'wait').length
  lines.push(
    todo === 0
      ? `${plain(plan.environment)} is in step: nothing to do.`
      : `${words(todo, 'action')} in ${plain(plan.environment)}; ${plan.unchanged} things are as they should be.`,
  )
  return lines
}

function value(any: unknown): string {
  if (any === undefined) return '–'
  const text = plain(typeof any === 'string' ? any : JSON.stringify(any))
  return text.length > 120 ? `${text.slice(0, 117)}…` : text
}

// What sync would make, as a Declarative Automation Bundle: files that the official CLI deploys without LakeForge. Pure.
import { stringify } from 'yaml'
import type { Plan } from '#core/plan.ts'
import { REFERENCE } from './resource.ts'
import type { Specs } from './specs.ts'
import { planText, workspaceFolder } from './specs.ts'

type Json = Record<string, unknown>
export type BundleFile = { path: string; text: string }

/** `plans` by their hash; `sources`: notebook and library files by path. */
export function bundleOf(
  specs: Specs,
  environment: { name: string; host: string | null },
  plans: ReadonlyMap<string, Plan>,
  sources: ReadonlyMap<string, string>,
): BundleFile[] {
  const folder = workspaceFolder(environment)
  const files: BundleFile[] = []
  const resources: Record<string, Json> = {}
  const add = (kind: string, key: string, spec: Json) =>
    ((resources[kind] ??= {})[key.replace(/[^A-Za-z0-9_]/g, '_')] = local(spec, folder))
  for (const { kind, key, spec, content } of specs.resources) {
    if (kind === 'file' && content) {
      if ('source' in content)
        files.push({ path: `notebooks/${content.source}`, text: sources.get(content.source) ?? '' })
      else {
        const plan = plans.get(content.plan_hash)
        if (plan) files.push({ path: key, text: planText(plan, content.targets) })
      }
    } else if (kind === 'job') {
      // A bundle locks and marks what it deploys by itself
      const { edit_mode: _locked, deployment: _marked, ...rest } = spec
      add('jobs', key, rest)
    } else if (kind === 'pipeline') add('pipelines', key, spec)
    else if (kind === 'schema') {
      const { name, catalog_name, comment, properties } = spec
      add('schemas', key, { name, catalog_name, comment, properties })
    } else if (kind === 'volume') add('volumes', key, spec)
  }
  const bundle = {
    bundle: { name: `lakeforge_${environment.name}` },
    sync: { include: ['notebooks/**', 'plans/**', 'pipelines/**'] },
    targets: {
      [environment.name]: {
        default: true,
        mode: 'production',
        workspace: {
          ...(environment.host !== null && { host: environment.host }),
          root_path: `${folder}_bundle`,
        },
      },
    },
    resources,
  }
  const tables = specs.resources.filter((each) => each.kind === 'table')
  const note =
    tables.length === 0
      ? ''
      : `# What Unity Catalog is told of ${tables.length} tables (comments, tags, masks, filters, grants) has no place in a bundle: lakeforge sync does it.\n`
  return [
    {
      path: 'databricks.yml',
      text: `# Written by lakeforge bundle. Deploy with: databricks bundle deploy\n${note}${stringify(bundle, { lineWidth: 0 })}`,
    },
    ...files,
  ]
}

/** References and paths as a bundle writes them. */
function local(value: unknown, folder: string): Json {
  const walk = (each: unknown): unknown => {
    if (typeof each === 'string') {
      const found = REFERENCE.exec(each)
      if (found) return `\${resources.${found[1]}s.${found[2]!.replace(/[^A-Za-z0-9_]/g, '_')}.id}`
      return each.startsWith(`${folder}/`)
        ? `\${workspace.file_path}${each.slice(folder.length)}`
        : each
    }
    if (Array.isArray(each)) return each.map(walk)
    if (each === null || typeof each !== 'object') return each
    return Object.fromEntries(Object.entries(each).map(([key, inner]) => [key, walk(inner)]))
  }
  return walk(value) as Json
}

// A compute profile: on what a group runs in a workspace. What it leaves out (null) comes from its parent.
import * as v from 'valibot'
import { described, checked, field, id, line, orNull, whole } from './fields.ts'
import type { Configured, Fault } from './fields.ts'

const texts = v.record(line, v.string())

const entries = {
  ...described,
  parent_id: orNull(field(id, 'Parent', 'The profile that fills in what this one leaves out.')),
  mode: orNull(field(v.picklist(['serverless', 'classic']), 'Mode', 'Without any: serverless.')),
  single_node: orNull(field(v.boolean(), 'Single node', 'Without any: yes; for pipelines too.')),
  node_type: orNull(field(line, 'Node type')),
  driver_node_type: orNull(field(line, 'Driver node type', 'Without any: the node type.')),
  workers: orNull(field(whole(0, 100_000), 'Workers')),
  min_workers: orNull(field(whole(0, 100_000), 'Workers at least', 'Autoscale.')),
  max_workers: orNull(field(whole(1, 100_000), 'Workers at most', 'Autoscale.')),
  runtime: orNull(field(line, 'Runtime', 'Version of the Databricks Runtime.')),
  photon: orNull(field(v.boolean(), 'Photon')),
  libraries: orNull(
    field(v.array(v.record(v.string(), v.unknown())), 'Libraries', 'As the Jobs API names them.'),
  ),
  spark_conf: orNull(field(texts, 'Spark settings')),
  policy: orNull(field(line, 'Cluster policy', 'Its id.')),
  cluster_tags: orNull(field(texts, 'Cluster tags')),
  hourly_cost: orNull(
    field(
      v.pipe(v.number(), v.finite('A finite number.'), v.minValue(0, 'At least 0.')),
      'Cost of an hour',
      'For estimates.',
    ),
  ),
}
const Plain = v.strictObject(entries)

export const ComputeProfileCreate = checked(Plain, computeFaults)
export type ComputeProfileCreate = v.InferOutput<typeof ComputeProfileCreate>
export const ComputeProfilePatch = v.partial(Plain)
export type ComputeProfilePatch = v.InferOutput<typeof ComputeProfilePatch>
export type ComputeProfile = Configured & ComputeProfileCreate

function* computeFaults(profile: v.InferOutput<typeof Plain>): Generator<Fault> {
  const { workers, min_workers: least, max_workers: most } = profile
  if ((least === null) !== (most === null)) {
    yield {
      path: [least === null ? 'min_workers' : 'max_workers'],
      message: 'Autoscale needs both bounds.',
    }
  }
  if (least !== null && most !== null && least > most) {
    yield { path: ['max_workers'], message: 'Not less than the other bound.' }
  }
  if (workers !== null && (least !== null || most !== null)) {
    yield { path: ['workers'], message: 'Either a fixed number or autoscale.' }
  }
  const several = (workers ?? 0) > 0 || most !== null
  if (profile.single_node === true && several) {
    yield { path: ['single_node'], message: 'A single node has no workers.' }
  }
  if (profile.mode === 'serverless') {
    for (const key of [
      'node_type',
      'driver_node_type',
      'workers',
      'max_workers',
      'policy',
    ] as const) {
      if (profile[key] !== null)
        yield { path: [key], message: 'Serverless chooses its machines itself.' }
    }
  }
}

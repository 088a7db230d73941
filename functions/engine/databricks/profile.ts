// Compute: a profile with what it inherits, as the Jobs and Pipelines APIs want it, and what an hour of it costs. Pure.
import type { ComputeProfile } from '#core/compute-profile.ts'
import { fail } from '#core/errors.ts'

/** A profile in which nothing is left out. */
export type Compute = {
  name: string
  mode: 'serverless' | 'classic'
  single_node: boolean
  node_type: string | null
  driver_node_type: string | null
  workers: number | null
  autoscale: { min_workers: number; max_workers: number } | null
  runtime: string
  photon: boolean
  libraries: Record<string, unknown>[]
  spark_conf: Record<string, string>
  policy: string | null
  cluster_tags: Record<string, string>
  /** In the currency of the house; null where nobody said. */
  hourly_cost: number | null
}

/** The newest long-supported runtime that Delta's and Spark's versions of the notebooks fit. */
const RUNTIME = '16.4.x-scala2.12'

export const SERVERLESS: Compute = {
  name: 'serverless',
  mode: 'serverless',
  single_node: true,
  node_type: null,
  driver_node_type: null,
  workers: null,
  autoscale: null,
  runtime: RUNTIME,
  photon: false,
  libraries: [],
  spark_conf: {},
  policy: null,
  cluster_tags: {},
  hourly_cost: null,
}

/**
 * The profile with everything that its parents say; maps are merged, the child's entries first. Null: the default, serverless.
 * @throws compute_profile_cycle when a profile is its own ancestor
 */
export function resolveProfile(
  profiles: ReadonlyMap<string, ComputeProfile>,
  id: string | null,
): Compute {
  if (id === null) return SERVERLESS
  const chain: ComputeProfile[] = []
  for (
    let each = profiles.get(id);
    each;
    each = each.parent_id ? profiles.get(each.parent_id) : undefined
  ) {
    if (chain.includes(each)) fail('compute_profile_cycle', { name: each.name })
    chain.push(each)
  }
  const first = <Key extends keyof ComputeProfile>(
    key: Key,
  ): NonNullable<ComputeProfile[Key]> | null =>
    (chain.find((each) => each[key] !== null)?.[key] ?? null) as NonNullable<
      ComputeProfile[Key]
    > | null
  const merged = (key: 'spark_conf' | 'cluster_tags') =>
    Object.assign({}, ...chain.toReversed().map((each) => each[key] ?? {})) as Record<
      string,
      string
    >
  // The nearest profile that says how many workers says it alone: a fixed number does not mix with bounds from further up
  const sized = chain.find(
    (each) => each.workers !== null || each.max_workers !== null || each.single_node !== null,
  )
  const autoscale =
    sized && sized.min_workers !== null && sized.max_workers !== null
      ? { min_workers: sized.min_workers, max_workers: sized.max_workers }
      : null
  const workers = sized?.workers ?? null
  const several = autoscale !== null || (workers ?? 0) > 0
  return {
    name: chain[0]?.name ?? 'serverless',
    mode: first('mode') ?? 'serverless',
    single_node: sized?.single_node ?? !several,
    node_type: first('node_type'),
    driver_node_type: first('driver_node_type'),
    workers,
    autoscale,
    runtime: first('runtime') ?? RUNTIME,
    photon: first('photon') ?? false,
    libraries: (first('libraries') ?? []) as Record<string, unknown>[],
    spark_conf: merged('spark_conf'),
    policy: first('policy'),
    cluster_tags: merged('cluster_tags'),
    hourly_cost: first('hourly_cost'),
  }
}

/** All three are needed, or the cluster waits for workers that never come. */
const SINGLE_CONF = { 'spark.databricks.cluster.profile': 'singleNode', 'spark.master': 'local[*]' }
const SINGLE_TAG = { ResourceClass: 'SingleNode' }

/** The cluster of a job; `num_workers` 0 is said, never left out. */
export function jobCluster(
  compute: Compute,
  tags: Record<string, string>,
): Record<string, unknown> {
  return {
    spark_version: compute.runtime,
    ...machine(compute),
    ...size(compute),
    data_security_mode: 'SINGLE_USER',
    ...(compute.photon && { runtime_engine: 'PHOTON' }),
    spark_conf: { ...compute.spark_conf, ...(compute.single_node && SINGLE_CONF) },
    custom_tags: { ...tags, ...compute.cluster_tags, ...(compute.single_node && SINGLE_TAG) },
  }
}

/** The default cluster of a pipeline: no runtime, and sizes as pipelines scale them. */
export function pipelineCluster(
  compute: Compute,
  tags: Record<string, string>,
): Record<string, unknown> {
  return {
    label: 'default',
    ...machine(compute),
    ...(compute.autoscale && !compute.single_node
      ? { autoscale: { ...compute.autoscale, mode: 'ENHANCED' } }
      : size(compute)),
    spark_conf: { ...compute.spark_conf, ...(compute.single_node && SINGLE_CONF) },
    custom_tags: { ...tags, ...compute.cluster_tags, ...(compute.single_node && SINGLE_TAG) },
  }
}

function machine(compute: Compute): Record<string, unknown> {
  return {
    ...(compute.policy !== null && { policy_id: compute.policy }),
    ...(compute.node_type !== null && { node_type_id: compute.node_type }),
    ...(compute.driver_node_type !== null && { driver_node_type_id: compute.driver_node_type }),
  }
}

function size(compute: Compute): Record<string, unknown> {
  if (compute.single_node) return { num_workers: 0 }
  if (compute.autoscale) return { autoscale: compute.autoscale }
  return { num_workers: compute.workers ?? 1 }
}

// What the fake workspace remembers: plain JSON, so that it can be kept in a file and looked at.

export type Json = Record<string, unknown>
export type Acl = {
  user_name?: string
  group_name?: string
  service_principal_name?: string
  permission_level: string
}

export type FakeJob = {
  job_id: string
  created_time: number
  creator: string
  run_as: string
  settings: Json
}

export type FakeTaskRun = {
  task_key: string
  run_id: string
  attempt_number: number
  life: string
  result: string | null
  message: string
  start_time: number
  end_time: number
  /** What the notebook left, or what went wrong. */
  output: string
  error: string | null
}

export type FakeRun = {
  run_id: string
  job_id: string
  number_in_job: number
  settings: Json
  life: string
  result: string | null
  message: string
  trigger: string
  start_time: number
  end_time: number
  tasks: FakeTaskRun[]
  parameters: Record<string, string>
  cancel: boolean
  repairs: { id: string; task_run_ids: string[]; start_time: number; end_time: number }[]
  /** Keys of tasks that this run, or its last repair, executes. */
  wanted: string[]
}

export type FakePipeline = {
  pipeline_id: string
  creator: string
  last_modified: number
  spec: Json
  run_as: unknown
  parameters: unknown
  updates: FakeUpdate[]
  events: Json[]
}
export type FakeUpdate = {
  update_id: string
  state: string
  cause: string
  creation_time: number
  request: Json
  stop: boolean
}

export type FakeObject = {
  object_id: string
  object_type: 'NOTEBOOK' | 'FILE' | 'DIRECTORY'
  path: string
  language?: string
  /** Base64 of the file, or of the notebook's source. */
  content: string
  created_at: number
  modified_at: number
}

export type FakeTable = Json & { full_name: string; columns: Json[] }

export type FakeState = {
  next_id: string
  jobs: Record<string, FakeJob>
  runs: Record<string, FakeRun>
  /** job id / idempotency token -> run id. */
  run_tokens: Record<string, string>
  pipelines: Record<string, FakePipeline>
  objects: Record<string, FakeObject>
  catalogs: Record<string, Json>
  schemas: Record<string, Json>
  volumes: Record<string, Json>
  tables: Record<string, FakeTable>
  functions: Record<string, string>
  /** `schema/cat.sch` -> principal -> privileges. */
  grants: Record<string, Record<string, string[]>>
  /** `jobs/123` -> direct entries. */
  acls: Record<string, Acl[]>
  scopes: Record<string, Record<string, { value: string; at: number }>>
  statements: Record<string, Json>
  /** Path in a volume -> base64. */
  files: Record<string, { content: string; at: number }>
  directories: Record<string, true>
  warehouses: Record<string, Json>
  connections: Record<string, Json>
}

export function emptyState(): FakeState {
  return {
    // Beyond 2^53 from the first one on: who rounds ids is found out
    next_id: '9007199254740993',
    jobs: {},
    runs: {},
    run_tokens: {},
    pipelines: {},
    objects: {},
    catalogs: { main: { name: 'main', catalog_type: 'MANAGED_CATALOG', owner: 'admins' } },
    schemas: {},
    volumes: {},
    tables: {},
    functions: {},
    grants: {},
    acls: {},
    scopes: {},
    statements: {},
    files: {},
    directories: {},
    warehouses: {
      wh0123456789abcd: {
        id: 'wh0123456789abcd',
        name: 'starter',
        state: 'RUNNING',
        cluster_size: '2X-Small',
        enable_serverless_compute: true,
      },
    },
    connections: {},
  }
}

/** The next int64; odd steps, so that neighbours round to one another. */
export function nextId(state: FakeState): string {
  const id = state.next_id
  state.next_id = (BigInt(id) + 1n).toString()
  return id
}

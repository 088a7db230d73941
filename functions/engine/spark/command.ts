// How the Python with Spark is called: the environment that notebooks/setup-env.sh makes, one that the user names, or spark-submit.
import { execFile } from 'node:child_process'
import { access } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { fail } from '#core/errors.ts'

export type SparkCommand = {
  file: string
  args: string[]
  env: NodeJS.ProcessEnv
  cwd: string
}

const NOTEBOOKS = join(import.meta.dirname, '../../../notebooks')

/**
 * By the environment: LAKEFORGE_SPARK_SUBMIT (`spark-submit --master yarn …`, client mode), else LAKEFORGE_SPARK_PYTHON with
 * LAKEFORGE_SPARK_JARS, else what setup-env.sh has made or makes. SPARK_REMOTE and SPARK_MASTER are passed on.
 * @throws spark_missing
 */
export async function sparkCommand(
  env: NodeJS.ProcessEnv,
  memory_mb: number,
): Promise<SparkCommand> {
  const worker = join(NOTEBOOKS, 'worker.py')
  const submit = env.LAKEFORGE_SPARK_SUBMIT
  if (submit) {
    const [file = '', ...args] = submit.split(/\s+/)
    return {
      file,
      args: [...args, worker],
      env: { ...env, LAKEFORGE_SPARK_SUBMITTED: '1' },
      cwd: NOTEBOOKS,
    }
  }
  const { python, jars } = env.LAKEFORGE_SPARK_PYTHON
    ? { python: env.LAKEFORGE_SPARK_PYTHON, jars: env.LAKEFORGE_SPARK_JARS ?? '' }
    : await setUp(env)
  await access(python).catch((cause: unknown) =>
    fail('spark_missing', { reason: `there is no ${python}` }, { cause }),
  )
  return {
    file: python,
    args: [worker],
    env: {
      LAKEFORGE_SPARK_MEMORY: `${memory_mb}m`,
      ...env,
      LAKEFORGE_SPARK_JARS: jars,
      PYSPARK_PYTHON: python,
      // Naive times of Python are those of its process.
      TZ: 'UTC',
    },
    cwd: NOTEBOOKS,
  }
}

/** Makes the Python environment where it isn't there yet: some minutes, once. */
async function setUp(env: NodeJS.ProcessEnv): Promise<{ python: string; jars: string }> {
  const script = join(NOTEBOOKS, 'setup-env.sh')
  try {
    const { stdout } = await promisify(execFile)('bash', [script], { env, encoding: 'utf8' })
    const said = (name: string) =>
      new RegExp(`^${name}=(.*)$`, 'm').exec(stdout)?.[1] ?? fail('spark_missing', { reason: name })
    return { python: said('SPARK_PYTHON'), jars: `${said('DELTA_JARS')},${said('JDBC_JARS')}` }
  } catch (cause) {
    const last = String((cause as { stderr?: string }).stderr ?? '')
      .trim()
      .split('\n')
      .at(-1)
    return fail('spark_missing', { reason: last || 'its environment could not be made' }, { cause })
  }
}

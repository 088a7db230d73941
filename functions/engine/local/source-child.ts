// The process that looks into one source once: tests it, discovers it, or previews an object, and ends.
import { DuckDBInstance } from '@duckdb/node-api'
import { fail, LakeForgeError } from '#core/errors.ts'
import { sourceOptions } from '#core/extractors.ts'
import { LOCAL_EXTRACTORS } from './extractors/index.ts'
import { resolveSecret } from './secrets.ts'
import type { LookAnswer, LookRequest } from './source-door.ts'

function say(answer: LookAnswer): Promise<void> {
  return new Promise((resolve) => process.send!(answer, () => resolve()))
}

async function look(request: LookRequest): Promise<void> {
  const { source } = request
  const extractor =
    LOCAL_EXTRACTORS[source.kind] ??
    fail('engine_unavailable', { what: `sources of kind ${source.kind}` })
  const instance = await DuckDBInstance.create(':memory:', {
    memory_limit: `${Math.floor(request.memory_bytes / 1024)}KiB`,
    autoinstall_known_extensions: 'false',
    autoload_known_extensions: 'false',
  })
  const connection = await instance.connect()
  await connection.run("set TimeZone = 'UTC'")
  const context = {
    source: { name: source.name, options: sourceOptions(source.kind, source.options) },
    connection,
    resolveSecret: (reference: string) => resolveSecret(request.home, reference),
  }
  if (request.op === 'test') {
    for await (const step of extractor.test(context)) await say({ kind: 'step', step })
  } else if (request.op === 'discover') {
    await say({ kind: 'result', result: await extractor.discover(context) })
  } else {
    await say({
      kind: 'result',
      result: await extractor.preview(context, request.object, request.limit),
    })
  }
}

process.once('message', (request: LookRequest) => {
  look(request)
    .catch((error: unknown) => {
      if (!(error instanceof LakeForgeError)) console.error(error)
      const known = error instanceof LakeForgeError ? error : new LakeForgeError('internal')
      return say({ kind: 'error', code: known.code, detail: known.detail, hint: known.hint })
    })
    .finally(() => process.exit(0))
})
// Without its parent nobody would hear it
process.on('disconnect', () => process.exit(1))

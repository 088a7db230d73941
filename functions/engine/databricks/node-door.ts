// What a Node host does for syncs: logins from its environment and ~/.databrickscfg, notebooks from its disk.
import { readdir, readFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join, resolve, sep } from 'node:path'
import { fail } from '#core/errors.ts'
import { openClient } from './client.ts'
import type { Client } from './client.ts'
import { connectionFor } from './connection.ts'
import { NOTEBOOK_HEADER, sha256 } from './specs.ts'
import type { SourceFile } from './specs.ts'
import type { WorkspaceDoor } from './sync-run.ts'

const NOTEBOOKS = resolve(import.meta.dirname, '../../../notebooks')
/** What goes to a workspace; tests, environments and caches stay. */
const GOES = /^(?:[a-z_]+\.py|lakeforge\/(?:[a-z0-9_]+\/)*[a-z0-9_.]+\.(?:py|json))$/

/** `env`: the variables to go by. One client for each host is kept, so that its login is shared. */
export function openNodeDoor(
  env: NodeJS.ProcessEnv = process.env,
  folder: string = NOTEBOOKS,
): WorkspaceDoor {
  const clients = new Map<string, Client>()
  return {
    warehouse_id: env.DATABRICKS_WAREHOUSE_ID || null,
    async client(host) {
      const file = env.DATABRICKS_CONFIG_FILE || join(env.HOME || homedir(), '.databrickscfg')
      const profiles = await readFile(file, 'utf8').catch(() => '')
      const connection = connectionFor(host, env, profiles)
      const key = JSON.stringify(connection)
      let client = clients.get(key)
      if (!client) clients.set(key, (client = openClient(connection.host, connection.credentials)))
      return client
    },
    async files() {
      const entries = await readdir(folder, { recursive: true, withFileTypes: true })
      const found: SourceFile[] = []
      for (const entry of entries) {
        if (!entry.isFile()) continue
        const path = join(entry.parentPath, entry.name)
          .slice(folder.length + 1)
          .split(sep)
          .join('/')
        if (!GOES.test(path)) continue
        const text = await readFile(join(folder, path), 'utf8')
        const notebook = text.split(/\r?\n/, 1)[0] === NOTEBOOK_HEADER
        // What lies beside the library and is no notebook serves this machine alone
        if (notebook || path.includes('/')) found.push({ path, sha256: sha256(text), notebook })
      }
      return found.sort((a, b) => (a.path < b.path ? -1 : 1))
    },
    source: (path) =>
      GOES.test(path)
        ? readFile(join(folder, path), 'utf8')
        : fail('not_found', { kind: 'file', name: path }),
  }
}

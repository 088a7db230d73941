import { rm } from 'node:fs/promises'

export default async function teardown(): Promise<void> {
  const dir = process.env.LAKEFORGE_E2E_DIR
  if (dir) await rm(dir, { recursive: true, force: true })
}

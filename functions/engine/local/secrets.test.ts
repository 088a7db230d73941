import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { resolveSecret } from './secrets.ts'

let home: string
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'lakeforge-secrets-'))
})
afterEach(async () => {
  delete process.env.LAKEFORGE_SECRET_SHOP_DB_PASSWORD
  await rm(home, { recursive: true })
})

async function file(content: string, mode = 0o600): Promise<void> {
  const path = join(home, 'secrets.json')
  await writeFile(path, content)
  await chmod(path, mode)
}

it('reads a secret from the file, and from the environment before that', async () => {
  await file('{"shop/db-password": "from file"}')
  expect(await resolveSecret(home, 'secret://shop/db-password')).toBe('from file')
  process.env.LAKEFORGE_SECRET_SHOP_DB_PASSWORD = 'from environment'
  expect(await resolveSecret(home, 'secret://shop/db-password')).toBe('from environment')
  expect(await resolveSecret(null, 'secret://shop/db-password')).toBe('from environment')
})

it('names what is missing, and the variable that would hold it', async () => {
  await expect(resolveSecret(home, 'secret://shop/db-password')).rejects.toMatchObject({
    code: 'secret_missing',
    hint: expect.stringContaining('LAKEFORGE_SECRET_SHOP_DB_PASSWORD'),
  })
  await expect(resolveSecret(home, 'hunter2')).rejects.toMatchObject({
    code: 'secret_missing',
    message: expect.not.stringContaining('hunter2'),
  })
})

it('refuses a file that others may read', async () => {
  await file('{"shop/db-password": "x"}', 0o640)
  await expect(resolveSecret(home, 'secret://shop/db-password')).rejects.toMatchObject({
    code: 'secret_exposed',
  })
})

it('does not quote a broken file', async () => {
  await file('{"shop/db-password": hunter2}')
  const error = await resolveSecret(home, 'secret://shop/db-password').catch((e: unknown) => e)
  expect(error).toMatchObject({ code: 'secret_file_invalid' })
  expect(JSON.stringify(error) + String((error as Error).stack)).not.toContain('hunter2')
})

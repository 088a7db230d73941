// Where groups run: laptop, dev, test, prod.
import { EnvironmentCreate, EnvironmentPatch } from '#core/environment.ts'
import type { Environment } from '#core/environment.ts'
import { resource } from './resource.ts'

export const environments = resource<
  Environment,
  typeof EnvironmentCreate,
  typeof EnvironmentPatch
>({
  table: 'environment',
  kind: 'environment',
  create: EnvironmentCreate,
  patch: EnvironmentPatch,
  filters: ['engine'],
  role: 'admin',
})

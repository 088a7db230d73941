// On what groups run in a workspace.
import { ComputeProfileCreate, ComputeProfilePatch } from '#core/compute-profile.ts'
import type { ComputeProfile } from '#core/compute-profile.ts'
import { resource } from './resource.ts'

export const computeProfiles = resource<
  ComputeProfile,
  typeof ComputeProfileCreate,
  typeof ComputeProfilePatch
>({
  table: 'compute_profile',
  kind: 'compute profile',
  create: ComputeProfileCreate,
  patch: ComputeProfilePatch,
  filters: ['mode', 'parent_id'],
})

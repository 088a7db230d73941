// The list of groups.
import { groupConfigs } from '#lib/api/configs.ts'
import { listQuery } from '#lib/list/list.svelte.ts'
import type { ListSpec, ListState } from '#lib/list/state.ts'

export const GROUPS: ListSpec = { filters: ['schedule_id', 'on_failure'] }
export const groupList = (state: ListState) => listQuery('groups', groupConfigs.list, state)

// What can be done to a batch, as data: the header, the home page and the keyboard draw the same list.
import { api, type Batch } from '#lib/api.ts'
import { isFinal } from '#lib/states.ts'

export type BatchAction = {
  id: 'cancel' | 'retry'
  label: string
  /** What the dialog asks; null where nothing needs to be asked. */
  confirm: { title: string; text: string } | null
  danger: boolean
  run: () => Promise<unknown>
  /** Why it can't be done now. */
  disabled_reason?: string
}

export function batchActions(batch: Pick<Batch, 'id' | 'state'>): BatchAction[] {
  return [
    {
      id: 'retry',
      label: 'Retry failed',
      confirm: null,
      danger: false,
      run: () => api.retry(batch.id),
      disabled_reason: retryRefusal(batch),
    },
    {
      id: 'cancel',
      label: 'Cancel batch',
      confirm: {
        title: 'Cancel this batch?',
        text: 'Running steps stop and nothing half-written becomes visible. Tables that are done stay as they are.',
      },
      danger: true,
      run: () => api.cancel(batch.id),
      disabled_reason: isFinal(batch.state) ? 'The batch has ended.' : undefined,
    },
  ]
}

function retryRefusal(batch: Pick<Batch, 'state'>): string | undefined {
  if (batch.state === 'failed' || batch.state === 'cancelled') return undefined
  return isFinal(batch.state) ? 'Nothing failed in this batch.' : 'The batch is still running.'
}

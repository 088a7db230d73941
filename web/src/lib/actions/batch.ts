// What can be done to a batch, as data: the header and the keyboard draw the same list. Which state allows what is the
// back end's table, so that a button and the API's refusal agree.
import { BATCH_CAN, isFinal, type State } from '#core/batch.ts'
import { api } from '#lib/api.ts'

export type BatchAction = {
  id: 'cancel' | 'retry'
  label: string
  /** What the dialog asks; null where nothing needs to be asked. */
  confirm: { title: string; text: string; keep: string } | null
  danger: boolean
  run: () => Promise<unknown>
  /** Why it can't be done now. */
  disabled_reason?: string
}

export function batchActions(batch: {
  id: string
  state: State
  cancel_requested_at?: string | null
}): BatchAction[] {
  return [
    {
      id: 'retry',
      label: 'Retry failed',
      confirm: null,
      danger: false,
      run: () => api.retry(batch.id),
      disabled_reason: BATCH_CAN[batch.state].includes('retry')
        ? undefined
        : isFinal(batch.state)
          ? 'Nothing failed in this batch.'
          : 'The batch has not ended yet.',
    },
    {
      id: 'cancel',
      label: 'Cancel batch',
      confirm: {
        title: 'Cancel this batch?',
        text: 'Running steps stop and nothing half-written becomes visible. Tables that are done stay as they are.',
        keep: 'Keep it running',
      },
      danger: true,
      run: () => api.cancel(batch.id),
      disabled_reason: !BATCH_CAN[batch.state].includes('cancel')
        ? 'The batch has ended.'
        : batch.cancel_requested_at
          ? 'It is being cancelled.'
          : undefined,
    },
  ]
}

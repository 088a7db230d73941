// Short news that need no answer: `toast.done('Source saved')`, `toast.failed(error, 'Deleting')`. Faults of a form stand at its
// fields instead, never in both places. The library is loaded with the first one.
import type * as Sonner from 'svelte-sonner'
import { asApiError } from '#lib/api/client.ts'

type Action = { label: string; onClick: () => void }

class Toasts {
  /** Whether the layout must show the corner in which they appear. */
  needed = $state(false)

  done(text: string, action?: Action): void {
    void this.#show((toast) => toast.success(text, { action }))
  }

  say(text: string, action?: Action): void {
    void this.#show((toast) => toast(text, { action }))
  }

  failed(error: unknown, what: string): void {
    const { message, hint } = asApiError(error, what)
    void this.#show((toast) => toast.error(message, { description: hint, duration: 10_000 }))
  }

  async #show(how: (toast: typeof Sonner.toast) => unknown): Promise<void> {
    const { toast } = await import('svelte-sonner')
    this.needed = true
    how(toast)
  }
}

export const toast = new Toasts()

// Asks before unsaved work is left behind.
import { beforeNavigate, goto } from '$app/navigation'
import { confirm } from '#lib/ui/confirm.svelte.ts'

/** Call it while a component is set up. Another view of the same page keeps what was typed, and asks nothing. */
export function guardLeaving(unsaved: () => boolean): void {
  let leaving = false
  beforeNavigate((navigation) => {
    if (leaving || !unsaved()) return
    if (navigation.to?.url.pathname === navigation.from?.url.pathname) return
    navigation.cancel()
    if (navigation.type === 'leave') return
    const to = navigation.to?.url
    void confirm({
      title: 'Leave without saving?',
      text: 'What you changed here is not saved yet.',
      action: 'Leave',
      keep: 'Stay here',
      danger: true,
    }).then((yes) => {
      if (!yes || !to) return
      leaving = true
      void goto(to).finally(() => (leaving = false))
    })
  })
}

// One clock for every relative time and running duration on the screen: it ticks once a second while anything reads it.
import { createSubscriber } from 'svelte/reactivity'

const subscribe = createSubscriber((update) => {
  const timer = setInterval(() => {
    if (!document.hidden) update()
  }, 1000)
  return () => clearInterval(timer)
})

/** Now in milliseconds; whoever reads it in markup or a derived value is updated every second. */
export function now(): number {
  subscribe()
  return Date.now()
}

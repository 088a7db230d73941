// Whether there is room for the graph; below it the list takes its place.
import { MediaQuery } from 'svelte/reactivity'

export const wide = new MediaQuery('min-width: 768px', true)

import { afterEach, beforeEach, expect, it } from 'vitest'
import { keys, listKeys, moveFocus } from '#lib/keys.svelte.ts'

let went: string[]
let release: () => void

function press(key: string, target: EventTarget = document.body, more: KeyboardEventInit = {}) {
  const event = new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true, ...more })
  target.addEventListener('keydown', (found) => keys.handle(found as KeyboardEvent), { once: true })
  target.dispatchEvent(event)
  return event
}

beforeEach(() => {
  went = []
  keys.on = true
  keys.go('b', () => went.push('batches'))
  release = keys.bind([{ keys: '?', does: 'Help', on: ['?'], run: () => went.push('help') }])
  document.body.innerHTML =
    '<input id="field"><a data-row href="/1">1</a><a data-row href="/2">2</a><dialog></dialog>'
})
afterEach(() => release())

it('goes where g and a letter say, and nowhere by the letter alone', () => {
  press('b')
  expect(went).toEqual([])
  press('g')
  expect(press('b').defaultPrevented).toBe(true)
  expect(went).toEqual(['batches'])
})

it('forgets the g after another key', () => {
  press('g')
  press('x')
  press('b')
  expect(went).toEqual([])
})

it('leaves letters to fields, to the browser and to open dialogs', () => {
  press('?', document.querySelector('#field')!)
  press('?', document.body, { ctrlKey: true })
  document.querySelector('dialog')!.setAttribute('open', '')
  press('?')
  expect(went).toEqual([])
})

it('can be switched off as a whole, and remembers it', () => {
  keys.on = false
  press('?')
  expect(went).toEqual([])
  expect(localStorage.getItem('lakeforge.keys')).toBe('off')
})

it('lists what a page binds, and lets the page win over the shell', () => {
  const page = keys.bind([{ keys: '?', does: 'Page', on: ['?'], run: () => went.push('page') }])
  press('?')
  page()
  press('?')
  expect(went).toEqual(['page', 'help'])
  expect(keys.bindings.map((binding) => binding.does)).toEqual(['Help'])
})

it('walks the rows of a list and stops at its ends', () => {
  const away = listKeys()
  const at = () => document.activeElement?.getAttribute('href')
  press('j')
  expect(at()).toBe('/1')
  press('j')
  press('j')
  expect(at()).toBe('/2')
  press('k')
  press('k')
  expect(at()).toBe('/1')
  away()
  document.body.innerHTML = ''
  expect(() => moveFocus('[data-row]', 1)).not.toThrow()
})

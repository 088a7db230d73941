// What each route costs on a first visit, from the build's own manifest: everything its entry and its page import statically,
// compressed. Prints the sums and fails over a budget.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'

type Chunk = { file: string; name?: string; src?: string; imports?: string[]; css?: string[] }
type Budget = { js_kb: number; css_kb: number }

/** Gzip, in 1000 bytes. A route that is not named has the larger budget. */
const HOME: Budget = { js_kb: 95, css_kb: 20 }
const OTHER: Budget = { js_kb: 190, css_kb: 20 }

const web = import.meta.dirname
const client = join(web, '.svelte-kit/output/client')
const manifest = JSON.parse(readFileSync(join(client, '.vite/manifest.json'), 'utf8')) as Record<
  string,
  Chunk
>

/** Every chunk that these need before they run, themselves included. */
function closure(keys: string[]): Set<string> {
  const seen = new Set<string>()
  const walk = (key: string) => {
    if (seen.has(key)) return
    seen.add(key)
    manifest[key]?.imports?.forEach(walk)
  }
  keys.forEach(walk)
  return seen
}

function size(files: Iterable<string>): number {
  let bytes = 0
  for (const file of new Set(files)) bytes += gzipSync(readFileSync(join(client, file))).length
  return bytes / 1000
}

/** Route -> the numbers of its nodes: layouts, then the page. From the table that the router reads. */
function routes(): Map<string, number[]> {
  const app = readFileSync(join(web, '.svelte-kit/generated/build/client-optimized/app.js'), 'utf8')
  const table = /export const dictionary = (\{[\s\S]*?\});/.exec(app)?.[1]
  if (!table)
    throw new Error('The router’s table is not where it was: look at client-optimized/app.js.')
  const rows = table.matchAll(/"([^"]+)": \[~?(\d+)(?:,\[([\d,]*)\])?/g)
  return new Map(
    [...rows].map(([, route, page, layouts]) => [
      route!,
      // 0 is the root layout and 1 the error page: both are loaded with every page.
      [0, 1, ...(layouts ?? '').split(',').filter(Boolean).map(Number), Number(page)],
    ]),
  )
}

const keys = Object.keys(manifest)
const entries = keys.filter((key) =>
  /runtime\/client\/[\w-]+\.js$|client-optimized\/app\.js$/.test(key),
)
const node = (n: number) => {
  const key = keys.find((one) => one.endsWith(`client-optimized/nodes/${n}.js`))
  if (!key) throw new Error(`The build has no node ${n}.`)
  return key
}
if (entries.length < 3) throw new Error('The entries are not named as they were.')

let over = false
for (const [route, nodes] of routes()) {
  const chunks = [...closure([...entries, ...nodes.map(node)])].map((key) => manifest[key]!)
  const js = size(chunks.map((chunk) => chunk.file))
  const css = size(chunks.flatMap((chunk) => chunk.css ?? []))
  const budget = route === '/' ? HOME : OTHER
  const bad = js > budget.js_kb || css > budget.css_kb
  over ||= bad
  console.log(
    `${bad ? 'over' : 'ok  '} ${route.padEnd(16)} JS ${js.toFixed(1)} of ${budget.js_kb} KB   CSS ${css.toFixed(1)} of ${budget.css_kb} KB`,
  )
}
if (over) process.exitCode = 1

// The API's description, generated from the same schemas that validate, and a page that shows it without any network.
import type { Hono } from 'hono'
import { openAPIRouteHandler } from 'hono-openapi'
import type { Env } from './request.ts'

/** Adds `GET /api/openapi.json` and `GET /api/docs`. Call it after every other route. */
export function openApi(app: Hono<Env>): void {
  app.get(
    '/api/openapi.json',
    openAPIRouteHandler(app as unknown as Hono, {
      documentation: {
        openapi: '3.1.0',
        info: {
          title: 'LakeForge',
          version: '1',
          description:
            'Metadata-driven ingestion for the lakehouse. Errors are problem documents (RFC 9457) with code, hint, request_id and errors.',
        },
      },
    }),
  )
  app.get('/api/docs', (c) => c.html(PAGE))
  app.get('/api/docs.js', (c) => {
    c.header('content-type', 'text/javascript; charset=utf-8')
    return c.body(SCRIPT)
  })
}

/** One page, no framework: the description is the content. The script is a file of its own, since the policy allows no inline one. */
const PAGE = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>LakeForge API</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="content-security-policy" content="default-src 'self'; style-src 'unsafe-inline'; script-src 'self'">
<style>
:root{color-scheme:light dark;font:14px/1.5 system-ui,sans-serif}
body{max-width:960px;margin:0 auto;padding:24px}
summary{cursor:pointer;padding:6px 0;display:flex;gap:12px;align-items:baseline}
code,pre{font-family:ui-monospace,monospace;font-size:13px}
pre{overflow:auto;padding:12px;border:1px solid #8884;border-radius:6px}
.m{font-weight:600;min-width:64px;display:inline-block}
details{border-top:1px solid #8883}
input{width:100%;padding:8px;font:inherit;margin:12px 0}
</style></head>
<body><main><h1>LakeForge API</h1><p id="about">Loading…</p>
<label>Filter <input id="filter" type="search" placeholder="batches, POST, schedule …"></label>
<div id="routes"></div></main><script src="/api/docs.js" defer></script></body></html>`

const SCRIPT = `const routes = document.getElementById('routes')
const filter = document.getElementById('filter')
const node = (tag, text, name) => { const e = document.createElement(tag); if (text) e.textContent = text; if (name) e.className = name; return e }
fetch('/api/openapi.json').then((answer) => answer.json()).then((spec) => {
  document.getElementById('about').textContent = spec.info.description
  for (const [path, methods] of Object.entries(spec.paths).sort()) for (const [method, route] of Object.entries(methods)) {
    const details = node('details'); const summary = node('summary')
    summary.append(node('code', method.toUpperCase(), 'm'), node('code', path), node('span', route.summary || ''))
    details.append(summary)
    if (route.parameters && route.parameters.length) details.append(node('p', 'Parameters'), node('pre', JSON.stringify(route.parameters, null, 2)))
    if (route.requestBody) details.append(node('p', 'Body'), node('pre', JSON.stringify(route.requestBody, null, 2)))
    routes.append(details)
  }
  filter.addEventListener('input', () => { for (const each of routes.children) each.hidden = !each.textContent.toLowerCase().includes(filter.value.toLowerCase()) })
})
`

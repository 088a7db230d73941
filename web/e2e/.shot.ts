// usage: shot.ts name path [width] [theme] [actions js]
import { chromium } from '@playwright/test'
const [name, path, width = '1440', theme = 'light', act] = process.argv.slice(2)
const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox'] })
const page = await browser.newPage({ viewport: { width: Number(width), height: 900 }, colorScheme: theme as 'light', reducedMotion: 'reduce' })
page.on('console', (m) => m.type() === 'error' && console.log('console', m.text()))
page.on('pageerror', (e) => console.log('pageerror', e.message))
await page.goto('http://127.0.0.1:8931' + path)
await page.waitForTimeout(1500)
if (act) { await new Function('page', `return (async () => { ${act} })()`)(page); await page.waitForTimeout(600) }
await page.screenshot({ path: `/tmp/uiop/${name}.png` })
await browser.close()

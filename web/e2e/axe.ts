// axe in the page: no violation in either theme, at the three widths the screens are drawn for.
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { expect, type Page } from '@playwright/test'

const source = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
const TAGS = ['wcag2a', 'wcag2aa', 'wcag21aa', 'wcag22aa', 'best-practice']

type Axe = {
  run(
    context: Document,
    options: object,
  ): Promise<{ violations: { id: string; nodes: { html: string }[] }[] }>
}

export async function expectAccessible(page: Page, what: string): Promise<void> {
  for (const colorScheme of ['light', 'dark'] as const)
    for (const width of [1440, 1024, 390]) {
      await page.emulateMedia({ colorScheme })
      await page.setViewportSize({ width, height: width === 390 ? 844 : 900 })
      await expect(page.locator('html')).toHaveAttribute('data-theme', colorScheme)
      const where = `${what}, ${colorScheme}, ${width} px`
      // Through the debugger: the page's own policy forbids foreign scripts.
      await page.evaluate(source)
      const found = await page.evaluate(async (tags) => {
        const { axe } = window as unknown as { axe: Axe }
        const { violations } = await axe.run(document, { runOnly: tags })
        return violations.map((one) => `${one.id}: ${one.nodes[0]?.html}`)
      }, TAGS)
      expect(found, where).toEqual([])
      const sideways = await page.evaluate(() => {
        const main = document.querySelector('main')!
        const root = document.documentElement
        return Math.max(main.scrollWidth - main.clientWidth, root.scrollWidth - root.clientWidth)
      })
      expect(sideways, `${where}: scrolls sideways`).toBe(0)
    }
  await page.emulateMedia({ colorScheme: 'light' })
  await page.setViewportSize({ width: 1440, height: 900 })
}

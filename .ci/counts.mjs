// Prints "<passed> <failed>" from a vitest or Playwright JSON report; a run that broke off counts as one failure more.
import { readFileSync } from 'node:fs'

const [path, code] = process.argv.slice(2)
const report = JSON.parse(readFileSync(path, 'utf8'))
const passed = report.numPassedTests ?? report.stats.expected
let failed = report.numFailedTests ?? report.stats.unexpected + (report.stats.flaky ?? 0)
if (code !== '0' && failed === 0) failed = 1
if (passed === 0) failed += 1
console.log(`${passed} ${failed}`)

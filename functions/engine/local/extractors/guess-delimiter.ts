// The delimiter of a file that calls itself csv: whichever of the usual ones splits its first lines most evenly.
import { firstRecord } from './csv-head.ts'
import { formatOptions } from './options.ts'

const CANDIDATES = [',', ';', '\t', '|']

/** `{}` for a comma, else `{ delimiter }`; `{}` too when nothing splits. */
export async function guessDelimiter(path: string): Promise<{ delimiter?: string }> {
  const counts: { delimiter: string; fields: number }[] = []
  for (const delimiter of CANDIDATES) {
    const options = formatOptions('csv', { delimiter })
    const record = await firstRecord(path, options as never)
    counts.push({ delimiter, fields: record?.length ?? 0 })
  }
  const best = counts.reduce((a, b) => (b.fields > a.fields ? b : a))
  return best.fields > 1 && best.delimiter !== ',' ? { delimiter: best.delimiter } : {}
}

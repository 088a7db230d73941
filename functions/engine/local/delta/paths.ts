// File names on their way into DuckDB's read functions, which take every name for a glob.
import { literalDuckdb } from '#core/names.ts'

/**
 * A literal for `read_parquet`, `read_json`, … that means exactly this file: `*`, `?` and `[` in a folder's name would
 * else read its neighbours too. COPY … TO takes names as they are: use `literalDuckdb` there.
 */
export function literalPath(path: string): string {
  return literalDuckdb(path.replace(/[*?[]/g, '[$&]'))
}

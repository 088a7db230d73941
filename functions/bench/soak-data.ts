// People for the soak: deliveries with new, changed, repeated, late, deleted and broken rows, the same at every call.

const NAMES = ['Ada', 'Björn', 'Chloé', "D'Arcy", 'Ewa', '名前', 'Fritz "Fred"', 'Grace, PhD']

/** Delivery `n` (from 1) as CSV: 600 rows over 400 people. */
export function delivery(n: number): string {
  const lines = ['id,name,city,version,gone']
  for (let row = 0; row < 600; row++) {
    // Spread by primes: repeats within a delivery, and some versions older than those of the one before
    const id = (row * 7 + n * 13) % 400
    const version = n * 10 + ((row * 3) % 11) - (row % 17 === 0 ? 15 : 0)
    const name =
      row % 29 === 0 ? '' : `"${NAMES[(id + version) % NAMES.length]!.replaceAll('"', '""')}"`
    lines.push(`${id},${name},city ${(id * version) % 37},${version},${row % 23 === 0}`)
  }
  return `${lines.join('\n')}\n`
}

/** Every load type over the deliveries in `folder`, with rules that drop and quarantine, and gold on top. */
export function metadata(folder: string): string {
  const select = `
      - { name: id, expression: id }
      - { name: name, expression: name }
      - { name: city, expression: city }
      - { name: version, expression: version }`
  return `groups:
  - { name: people, retries: 3, max_parallel: 2 }
sources:
  - { name: folder, kind: files, options: { root: '${folder.replaceAll("'", "''")}' } }
raw_configs:
  - name: people
    source: folder
    group: people
    object: people-*.csv
    format: csv
    read_mode: files
    columns:
      - { name: id, type: int }
      - { name: name, type: string }
      - { name: city, type: string }
      - { name: version, type: int }
      - { name: gone, type: boolean }
bronze_configs:
  - { target: bronze.people, raw: folder.people }
silver_configs:
  - target: silver.people
    group: people
    from: [bronze.people]
    load_type: merge
    keys: [id]
    sequence_by: version
    delete_when: gone
    dedupe: true
    select:${select}
  - target: silver.seen
    group: people
    from: [bronze.people]
    load_type: append
    where: id < 300
    select:${select}
  - target: silver.latest
    group: people
    from: [bronze.people]
    load_type: replace
    select:${select}
  - target: silver.history
    group: people
    from: [bronze.people]
    load_type: scd2
    keys: [id]
    sequence_by: version
    delete_when: gone
    select:${select}
gold_configs:
  - target: gold.cities
    group: people
    query: select city, count(*) as people, max(version) as version from silver.people group by city
dq_rules:
  - { name: named, target: silver.people, check: not_null, columns: [name], on_fail: quarantine }
  - { name: named, target: silver.seen, check: not_null, columns: [name], on_fail: drop }
  - { name: named, target: silver.history, check: not_null, columns: [name], on_fail: warn }
`
}

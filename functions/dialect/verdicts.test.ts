// The catalogue, the verdicts and what the compiler really does can't differ; each function that is said to be the same has
// been answered by a real Spark.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

import { describe, expect, it } from 'vitest'

import { LakeForgeError } from '#core/errors.ts'
import { CONSTRUCTS } from './constructs.ts'
import { lookup } from './functions.ts'
import { analyzeExpression, analyzeQuery, FUNCTIONS, type Relation } from './index.ts'
import { REFUSED } from './refused.ts'
import { VERDICTS } from './verdicts.ts'

const columns = (list: string) =>
  list.split(/, (?=\w+ )/).map((text) => {
    const [name, type, not] = text.split(' ')
    return { name: name!, type: type!, nullable: not === undefined }
  })
const relations: Relation[] = [
  {
    name: 's.o',
    columns: columns(
      'id int not_null, region string, n int, amount decimal(10,2), t date, p timestamp, tags array<string>, m map<string,int>, items array<struct<sku:string,qty:int>>, r struct<x:int,y:string>',
    ),
  },
  { name: 's.c', columns: columns('id int not_null, name string, n int') },
]

async function refusal(run: Promise<unknown>): Promise<LakeForgeError | undefined> {
  const error = await run.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  if (error !== undefined && !(error instanceof LakeForgeError)) throw error
  return error
}

describe('the verdicts', () => {
  it('are written down as the catalogue says', () => {
    // After a change: node functions/dialect/verdicts.ts
    const written = JSON.parse(readFileSync(join(import.meta.dirname, 'verdicts.json'), 'utf8'))
    expect(written).toEqual(VERDICTS)
  })

  it('name each function and construct once, with a reason for what is refused', () => {
    const names = VERDICTS.flatMap(({ kind, name, aliases }) =>
      [name, ...aliases].map((each) => `${kind} ${each}`),
    )
    expect(names.filter((name, i) => names.indexOf(name) !== i)).toEqual([])
    for (const { name, verdict, reason, signature } of VERDICTS) {
      expect(signature, name).not.toBe('')
      expect(verdict === 'refused', name).toBe(reason !== undefined)
    }
    expect(VERDICTS.filter((each) => each.verdict === 'same').length).toBeGreaterThanOrEqual(250)
  })

  it('refuse at save what they call refused, with that reason', async () => {
    for (const { name, reason } of REFUSED.values()) {
      expect(lookup(name), name).toBeUndefined()
      const error = await refusal(analyzeExpression(`${name}(region)`, relations[0]!.columns))
      expect(error, name).toMatchObject({ code: 'sql_unsupported', hint: reason })
    }
  })
})

describe.each(CONSTRUCTS)('the construct $name', ({ example, reason }) => {
  it(reason === undefined ? 'is taken' : 'is refused', async () => {
    const error = await refusal(analyzeQuery(example, relations))
    if (reason === undefined) expect(error?.message).toBeUndefined()
    else expect(error?.status).toBe(422)
  })
})

describe('each function that is called the same', () => {
  const folder = join(import.meta.dirname, 'edge-values')
  const refused = new Set(readFileSync(join(folder, 'refused.txt'), 'utf8').split('\n'))
  /** Cases that we take and Spark answered, in one text. */
  const answered = readdirSync(join(folder, 'answers'))
    .flatMap((file) => {
      const answers = JSON.parse(readFileSync(join(folder, 'answers', file), 'utf8')) as object
      const name = file.replace('.json', '')
      return Object.entries(answers)
        .filter(
          ([sql, answer]) =>
            typeof answer === 'object' && !('error' in answer) && !refused.has(`${name}: ${sql}`),
        )
        .map(([sql]) => sql.toLowerCase())
    })
    .join('\n')
  /** What depends on the batch’s time has no fixed answer; dialect.test.ts tests it. */
  const ofTheBatch = ['current_timestamp', 'current_date', 'localtimestamp', 'now', 'curdate']

  it.each(FUNCTIONS.filter(({ name }) => !ofTheBatch.includes(name)))(
    '$name has been answered by Spark',
    ({ name, aliases }) => {
      for (const each of [name, ...aliases].filter((alias) => !ofTheBatch.includes(alias)))
        expect(
          new RegExp(`\\b${each}\\s*\\(|\\b${each} from`).test(answered),
          `no edge value of ${each}`,
        ).toBe(true)
    },
  )
})

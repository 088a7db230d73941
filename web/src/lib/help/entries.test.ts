import { describe, expect, it } from 'vitest'
import { CHECK_KINDS } from '#core/checks.ts'
import { ERRORS } from '#core/errors.ts'
import { entries, functionEntries, search, TOPICS } from '#lib/help/entries.ts'

describe('the reference', () => {
  const all = entries()

  it('has every check and every error, each once', () => {
    const ids = (topic: string) => all.filter((one) => one.topic === topic).map((one) => one.id)
    expect(ids('checks')).toEqual(expect.arrayContaining([...CHECK_KINDS]))
    expect(ids('errors')).toEqual(Object.keys(ERRORS))
    const keys = all.map((one) => `${one.topic} ${one.id}`)
    expect(new Set(keys).size).toBe(keys.length)
    for (const topic of TOPICS.filter(({ id }) => id !== 'functions' && id !== 'keys'))
      expect(ids(topic.id).length, topic.id).toBeGreaterThan(0)
  })

  it('names the options of a kind with their words', () => {
    const range = all.find((one) => one.id === 'range')!
    expect(range.facts.map((fact) => fact.name)).toEqual(
      expect.arrayContaining(['null', 'min', 'max_exclusive']),
    )
    expect(range.facts.find((fact) => fact.name === 'min')!.text).toContain('At least')
  })

  it('is searched by all words, titles first', () => {
    const found = search(all, 'unique')
    expect(found[0]!.title).toBe('Unique')
    expect(search(all, 'quarantine drop nonsense')).toEqual([])
    expect(search(all, '  ')).toHaveLength(all.length)
    const [upper] = functionEntries([
      {
        name: 'upper',
        category: 'string',
        signature: 'upper(text)',
        description: 'In capitals.',
        returns: 'string',
        kind: 'scalar',
        aliases: ['ucase'],
      },
    ])
    expect(search([upper!], 'ucase')).toHaveLength(1)
  })
})

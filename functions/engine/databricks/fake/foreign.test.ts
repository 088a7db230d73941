import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { askForeign, foreignClient, whyNot } from './foreign.testing.ts'
import { serveFake } from './serve.ts'

describe.skipIf(!foreignClient)(`a foreign client: databricks-sdk of Python${whyNot}`, () => {
  let served: Awaited<ReturnType<typeof serveFake>>
  beforeAll(async () => void (served = await serveFake({ page: 2 })))
  afterAll(() => served?.close())

  it('finds in the fake what it expects of a workspace', async () => {
    const seen = await askForeign(['drive', served.url])
    expect(seen).toEqual({
      me: 'admin@example.com',
      job_id_exact: true,
      job: { name: 'foreign', tasks: ['a', 'b'], source: 'WORKSPACE', cron: '0 15 2 * * ?' },
      listed: [true],
      reset: 'again',
      one_run: true,
      result: 'SUCCESS',
      // The SDK reads the 400 of a missing job as what it means
      deleted: 'ResourceDoesNotExist',
      pipeline: ['foreign', 'main', 'sales', 'CURRENT'],
      pipelines: ['foreign'],
      pipeline_conflict: 'Aborted',
      pipeline_deleted: 'ResourceDoesNotExist',
      files: [['/Shared/foreign/n', 'NOTEBOOK']],
      export: '# Databricks notebook source\nprint(1)',
      missing: 'ResourceDoesNotExist',
      volume_file: 'x',
      schemas: ['main.foreign'],
      grants: [['a', ['USE_SCHEMA']]],
      statement: [['1']],
      bad_statement: 'FAILED',
      app: 'fake-app',
    })
    served.fake.assertHonest()
  })
})

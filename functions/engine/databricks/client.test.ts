import { describe, expect, it } from 'vitest'
import { LakeForgeError } from '#core/errors.ts'
import { openLogin } from './auth.ts'
import { codeOf, readError } from './client-error.ts'
import { openClient } from './client.ts'
import { connectionFor, normalHost, parseProfiles } from './connection.ts'
import { parseJson, stringifyJson } from './json.ts'

const HOST = 'https://workspace.example'

/** Answers one after another; a function may throw. Tells what was asked. */
function scripted(...answers: (Response | Error | ((init: RequestInit) => Response))[]) {
  const asked: { url: string; init: RequestInit }[] = []
  const waits: number[] = []
  const client = openClient(
    HOST,
    { kind: 'pat', token: 'dapi-1' },
    {
      fetch: async (url, init) => {
        asked.push({ url, init })
        const next = answers.shift() ?? new Error('nothing more')
        if (next instanceof Error) throw next
        return typeof next === 'function' ? next(init) : next
      },
      wait: async (ms) => void waits.push(ms),
      random: () => 0,
    },
  )
  return { client, asked, waits }
}

const json = (body: unknown, status = 200, headers: Record<string, string> = {}) =>
  new Response(typeof body === 'string' ? body : JSON.stringify(body), { status, headers })
const codeFrom = async (promise: Promise<unknown>) => {
  const error: unknown = await promise.catch((thrown: unknown) => thrown)
  expect(error).toBeInstanceOf(LakeForgeError)
  return (error as LakeForgeError).code
}

describe('numbers', () => {
  it('keep ids beyond 2^53 as text, and write them back bare', () => {
    const text =
      '{"job_id":9223372036854775807,"tasks":[{"run_id":12}],"task_run_ids":[9007199254740993]}'
    const value = parseJson(text) as Record<string, unknown>
    expect(value.job_id).toBe('9223372036854775807')
    expect((value.tasks as { run_id: unknown }[])[0]!.run_id).toBe('12')
    expect(stringifyJson(value)).toBe(text)
  })

  it.each([
    ['a small number stays one', '{"timeout_seconds":0}', { timeout_seconds: 0 }],
    [
      'a big number without a name is text too',
      '{"value":12345678901234567890}',
      { value: '12345678901234567890' },
    ],
    ['a fraction stays a number', '{"cost":1.5e3}', { cost: 1500 }],
    ['digits in a text stay text', '{"pipeline_id":"123"}', { pipeline_id: '123' }],
  ])('%s', (_name, text, value) => expect(parseJson(text)).toEqual(value))

  it('never unquote texts that only look like numbers', () =>
    expect(stringifyJson({ warehouse_id: '123456', job_id: '7', policy_id: '00' })).toBe(
      '{"warehouse_id":"123456","job_id":7,"policy_id":"00"}',
    ))
})

describe('errors', () => {
  const get = '/api/2.2/jobs/get'
  it.each([
    ['an empty body', 404, '', '', 'HTTP status 404', 'workspace_missing'],
    [
      'the normal shape',
      403,
      '{"error_code":"PERMISSION_DENIED","message":"no"}',
      'PERMISSION_DENIED',
      'no',
      'workspace_denied',
    ],
    ['the old shape', 400, '{"error":"Bad target"}', '', 'Bad target', 'workspace_refused'],
    [
      'SCIM',
      404,
      '{"detail":"no user","status":"404","scimType":"noTarget"}',
      '',
      'noTarget no user',
      'workspace_missing',
    ],
    [
      'plain text',
      400,
      'MALFORMED_REQUEST: bad json',
      'MALFORMED_REQUEST',
      'bad json',
      'workspace_refused',
    ],
    [
      'a page with pre',
      503,
      '<html><title>x</title><pre>down <b>now</b></pre></html>',
      '',
      'down now',
      'workspace_unavailable',
    ],
    [
      'a page with a title',
      502,
      '<html><head><title>Bad Gateway</title></head></html>',
      '',
      'Bad Gateway',
      'workspace_unavailable',
    ],
    ['a message alone', 400, '{"message":"what"}', '', 'what', 'workspace_refused'],
    [
      'a numeric code',
      400,
      '{"error_code":1000,"message":"odd"}',
      '1000',
      'odd',
      'workspace_refused',
    ],
    [
      'details without fields',
      400,
      '{"error_code":"X","message":"m","details":[{},null,7]}',
      'X',
      'm',
      'workspace_refused',
    ],
    ['JSON that is no object', 500, '[1]', '', 'HTTP status 500', 'workspace_unavailable'],
    [
      'a job that is gone: 400',
      400,
      '{"error_code":"INVALID_PARAMETER_VALUE","message":"Job 620 does not exist."}',
      'INVALID_PARAMETER_VALUE',
      'Job 620 does not exist.',
      'workspace_missing',
    ],
    [
      'a run that is gone: 400',
      400,
      `{"error_code":"INVALID_PARAMETER_VALUE","message":"Run: 1 in job: 2 doesn't exist"}`,
      'INVALID_PARAMETER_VALUE',
      "Run: 1 in job: 2 doesn't exist",
      'workspace_missing',
    ],
    [
      'an unknown parameter: 400',
      400,
      '{"error_code":"INVALID_PARAMETER_VALUE","message":"Cluster key c does not exist."}',
      'INVALID_PARAMETER_VALUE',
      'Cluster key c does not exist.',
      'workspace_refused',
    ],
    [
      'a limit by its code',
      400,
      '{"error_code":"REQUEST_LIMIT_EXCEEDED","message":"m"}',
      'REQUEST_LIMIT_EXCEEDED',
      'm',
      'workspace_busy',
    ],
    [
      'something that is there already',
      400,
      '{"error_code":"SCHEMA_ALREADY_EXISTS","message":"m"}',
      'SCHEMA_ALREADY_EXISTS',
      'm',
      'workspace_conflict',
    ],
    [
      'a schema that is not there',
      400,
      '{"error_code":"SCHEMA_DOES_NOT_EXIST","message":"m"}',
      'SCHEMA_DOES_NOT_EXIST',
      'm',
      'workspace_missing',
    ],
  ])('reads %s', (_name, status, body, error_code, message, code) => {
    const said = readError(status, new Headers(), body)
    expect([said.error_code, said.message, codeOf(get, said)]).toEqual([error_code, message, code])
  })

  it('reads Retry-After as seconds or as a date, and nothing else', () => {
    const after = (value: string) =>
      readError(429, new Headers({ 'retry-after': value }), '').retry_after_ms
    expect(after('7')).toBe(7000)
    expect(after(new Date(Date.now() + 5000).toUTCString())).toBeGreaterThan(2000)
    expect(after('soon')).toBeNull()
  })
})

describe('requests', () => {
  it('wait as long as the workspace asks, then go on', async () => {
    const { client, waits } = scripted(
      json('{}', 429, { 'retry-after': '7' }),
      json('{}', 503),
      json({ ok: 1 }),
    )
    expect(await client.get('/api/2.2/jobs/list')).toEqual({ ok: 1 })
    expect(waits).toEqual([7000, 2000])
  })

  it('are not sent twice when nobody knows whether they were carried out', async () => {
    for (const lost of [
      new TypeError('fetch failed'),
      json('', 503),
      json('', 502),
      json('', 504),
    ]) {
      const { client, asked } = scripted(lost, json({ job_id: 1 }))
      expect(await codeFrom(client.call('POST', '/api/2.2/jobs/create', { body: {} }))).toBe(
        'workspace_outcome_unknown',
      )
      expect(asked.length).toBe(1)
    }
  })

  it('are sent again when nobody was there, or when they do no more the second time', async () => {
    const refused = new TypeError('fetch failed', { cause: { code: 'ECONNREFUSED' } })
    const first = scripted(refused, json({ job_id: 1 }))
    expect(await first.client.call('POST', '/api/2.2/jobs/create', { body: {} })).toEqual({
      job_id: '1',
    })
    const second = scripted(new TypeError('reset'), json('', 504), json({}))
    await second.client.call('POST', '/api/2.2/jobs/reset', { body: {}, repeatable: true })
    expect(second.asked.length).toBe(3)
  })

  it('give up when their time is over', async () => {
    let now = 0
    const client = openClient(
      HOST,
      { kind: 'pat', token: 't' },
      {
        fetch: async () => json('{}', 503),
        wait: async (ms) => void (now += ms),
        now: () => now,
        random: () => 0,
      },
    )
    expect(await codeFrom(client.get('/x'))).toBe('workspace_unavailable')
    expect(now).toBeGreaterThan(280_000)
    expect(now).toBeLessThan(300_001)
  })

  it('take an empty body for what it is, and say when a body is no JSON', async () => {
    const { client } = scripted(new Response(null, { status: 200 }), json('<html>'))
    expect(await client.call('POST', '/api/2.2/jobs/delete', { body: { job_id: '1' } })).toEqual({})
    expect(await codeFrom(client.get('/x'))).toBe('workspace_answer_unreadable')
  })

  it('follow no redirect: the bearer stays with its host', async () => {
    const { client, asked } = scripted(
      new Response(null, { status: 302, headers: { location: 'https://other.example' } }),
    )
    expect(await codeFrom(client.get('/x'))).toBe('workspace_refused')
    expect(asked.length).toBe(1)
    expect(asked[0]!.init.redirect).toBe('manual')
  })

  it('spell booleans as words and repeat keys of lists', async () => {
    const { client, asked } = scripted(json({}))
    await client.get('/x', { expand_tasks: true, order_by: ['a', 'b'], page_token: undefined })
    expect(asked[0]!.url).toBe(`${HOST}/x?expand_tasks=true&order_by=a&order_by=b`)
  })

  it('go through pages that are empty until no token comes', async () => {
    const { client } = scripted(
      json({ next_page_token: 'a' }),
      json({ jobs: [{ n: 1 }], next_page_token: 'b' }),
      json({ jobs: [{ n: 2 }], next_page_token: '' }),
    )
    const found: unknown[] = []
    for await (const each of client.list('/api/2.2/jobs/list', 'jobs')) found.push(each)
    expect(found).toEqual([{ n: 1 }, { n: 2 }])
  })
})

describe('logins', () => {
  const credentials = { kind: 'm2m', client_id: 'me', client_secret: 's3cret' } as const

  function server(answer: () => Response, endpoint = `${HOST}/oidc/v1/token`) {
    const asked: { url: string; init: RequestInit }[] = []
    let now = 0
    const login = openLogin(HOST, credentials, {
      now: () => now,
      fetch: async (url, init) => {
        asked.push({ url, init })
        return url.endsWith('oauth-authorization-server')
          ? json({ token_endpoint: endpoint })
          : answer()
      },
    })
    return { login, asked, pass: (ms: number) => (now += ms) }
  }

  it('ask once for however many requests wait, and again before the token ends', async () => {
    let n = 0
    const { login, asked, pass } = server(() =>
      json({ access_token: `t${++n}`, expires_in: '3600' }),
    )
    expect(await Promise.all([login.token(), login.token(), login.token()])).toEqual([
      't1',
      't1',
      't1',
    ])
    expect(asked.length).toBe(2)
    pass(3_539_000)
    expect(await login.token()).toBe('t1')
    pass(2000)
    expect(await login.token()).toBe('t2')
    const sent = asked[1]!.init
    expect(sent.body).toBe('grant_type=client_credentials&scope=all-apis')
    expect((sent.headers as Record<string, string>).authorization).toBe(
      `Basic ${btoa('me:s3cret')}`,
    )
  })

  it('send the secret to no other host than the workspace', async () => {
    const { login, asked } = server(
      () => json({ access_token: 't' }),
      'https://thief.example/token',
    )
    await login.token()
    expect(asked.map(({ url }) => new URL(url).origin)).toEqual([HOST, HOST])
  })

  it('say what was wrong without the secret, and try again the next time', async () => {
    const answers = [
      json({ error: 'invalid_client', error_description: 'Client authentication failed' }, 401),
      json({ access_token: 't' }),
    ]
    const { login } = server(() => answers.shift()!)
    const error = (await login.token().catch((thrown: unknown) => thrown)) as LakeForgeError
    expect([
      error.code,
      error.message.includes('Client authentication failed'),
      error.message.includes('s3cret'),
    ]).toEqual(['workspace_login_failed', true, false])
    expect(await login.token()).toBe('t')
  })

  it('renew a token that the workspace no longer takes, once', async () => {
    let n = 0
    const used: string[] = []
    const client = openClient(HOST, credentials, {
      fetch: async (url, init) => {
        if (url.includes('/oidc/'))
          return url.endsWith('server')
            ? json('', 404)
            : json({ access_token: `t${++n}`, expires_in: 3600 })
        used.push((init.headers as Record<string, string>).authorization!)
        return used.length === 1
          ? json({ error_code: 'UNAUTHENTICATED', message: 'expired' }, 401)
          : json({ ok: true })
      },
    })
    expect(await client.call('POST', '/api/2.2/jobs/create', { body: {} })).toEqual({ ok: true })
    expect(used).toEqual(['Bearer t1', 'Bearer t2'])
  })
})

describe('connections', () => {
  const profiles = `
; a comment
[DEFAULT]
host = https://dev.example/
token = dapi-dev

[prod]
host: prod.example
client_id = app
client_secret = a=b;c#d
nonsense
`
  it('take the profile of the host, never one of another', () => {
    expect(connectionFor('https://dev.example', {}, profiles).credentials).toEqual({
      kind: 'pat',
      token: 'dapi-dev',
    })
    expect(connectionFor('prod.example/', {}, profiles)).toEqual({
      host: 'https://prod.example',
      credentials: { kind: 'm2m', client_id: 'app', client_secret: 'a=b;c#d' },
    })
    expect(() => connectionFor('https://other.example', {}, profiles)).toThrow(/no login/)
    expect(parseProfiles(profiles).size).toBe(2)
  })

  it('take the variables only for the host that they name', () => {
    const env = { DATABRICKS_HOST: 'dev.example', DATABRICKS_TOKEN: 'x' }
    expect(connectionFor('https://dev.example', env).credentials).toEqual({
      kind: 'pat',
      token: 'x',
    })
    expect(() => connectionFor('https://other.example', env)).toThrow(/no login/)
    expect(() => connectionFor('https://dev.example', { DATABRICKS_TOKEN: 'x' })).toThrow(
      /no login/,
    )
  })

  it('go by DATABRICKS_AUTH_TYPE where both logins are there', () => {
    const env = {
      DATABRICKS_HOST: HOST,
      DATABRICKS_TOKEN: 'x',
      DATABRICKS_CLIENT_ID: 'a',
      DATABRICKS_CLIENT_SECRET: 'b',
    }
    expect(connectionFor(HOST, env).credentials.kind).toBe('pat')
    expect(
      connectionFor(HOST, { ...env, DATABRICKS_AUTH_TYPE: 'oauth-m2m' }).credentials.kind,
    ).toBe('m2m')
  })

  it.each([
    ['adb-1.azuredatabricks.net', 'https://adb-1.azuredatabricks.net'],
    ['https://x.example/?o=1', 'https://x.example'],
    ['http://127.0.0.1:9000', 'http://127.0.0.1:9000'],
  ])('read %s as %s', (given, host) => expect(normalHost(given)).toBe(host))

  it('refuse plain http but for this machine', () => {
    expect(() => normalHost('http://x.example')).toThrow(/no address/)
    expect(() => normalHost('ftp://x')).toThrow(/no address/)
  })
})

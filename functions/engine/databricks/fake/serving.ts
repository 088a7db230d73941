// Model serving of the fake: answers as a chat model would, or as badly as one asks it to.
import { Hono } from 'hono'
import { gone, Refusal, reply } from './answer.ts'
import type { FakeUser, FakeWorld } from './answer.ts'

type Env = { Variables: { fake: FakeWorld; user: FakeUser } }
type Chat = { messages?: { role: string; content: string }[]; stream?: boolean }

/** Endpoint -> how it answers. */
const ENDPOINTS: Record<string, (question: string) => string> = {
  echo: (question) => question,
  json: () => '{"ok":true}',
  'not-json': () => 'Sure! Here is what you asked for.',
  'wrong-shape': () => '{"unexpected":[1,2,3]}',
}

export const serving = new Hono<Env>()
  .get('/api/2.0/serving-endpoints', () =>
    reply({ endpoints: Object.keys(ENDPOINTS).map(endpoint) }),
  )
  .get('/api/2.0/serving-endpoints/:name', (c) => reply(endpoint(known(c.req.param('name')))))
  .post('/serving-endpoints/:name/invocations', async (c) => {
    const name = c.req.param('name')
    if (name === 'busy')
      throw new Refusal(429, 'REQUEST_LIMIT_EXCEEDED', 'Rate limit of the endpoint.', {
        'retry-after': '1',
      })
    if (name === 'cold')
      throw new Refusal(503, 'TEMPORARILY_UNAVAILABLE', 'The endpoint is scaling from zero.')
    const chat = (await c.req.json()) as Chat
    const text = ENDPOINTS[known(name)]!(chat.messages?.at(-1)?.content ?? '')
    const head = {
      id: 'chatcmpl-fake',
      created: Math.floor(c.get('fake').now() / 1000),
      model: name,
    }
    if (chat.stream === true) {
      const lines = [...text].map(
        (content, index) =>
          `data: ${JSON.stringify({ ...head, object: 'chat.completion.chunk', choices: [{ index: 0, delta: { ...(index === 0 && { role: 'assistant' }), content } }] })}\n\n`,
      )
      return new Response(`${lines.join('')}data: [DONE]\n\n`, {
        headers: { 'content-type': 'text/event-stream' },
      })
    }
    return new Response(
      JSON.stringify({
        ...head,
        object: 'chat.completion',
        choices: [
          { index: 0, message: { role: 'assistant', content: text }, finish_reason: 'stop' },
        ],
        usage: { prompt_tokens: 1, completion_tokens: text.length, total_tokens: text.length + 1 },
      }),
      { headers: { 'content-type': 'application/json', 'served-model-name': name } },
    )
  })

function known(name: string): string {
  return Object.hasOwn(ENDPOINTS, name) ? name : gone(`The endpoint ${name} does not exist.`)
}

function endpoint(name: string) {
  return {
    name,
    id: name,
    task: 'llm/v1/chat',
    state: { ready: 'READY', config_update: 'NOT_UPDATING' },
  }
}

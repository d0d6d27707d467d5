import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { useRunner } from './runner'

const ID = '0193c2f0-6d1e-7a54-8a43-5f1f0e9d2b11'
const result = { id: ID, ok: true, exitCode: 0, stdout: 'one\ntwo\n', stderr: '', outcome: 'ok', lang: 'python', usage: {}, limits: [], truncated: {} }
const request = { lang: 'python' as const, code: 'print(1)' }

type Answer = () => Response | Promise<Response>
const asked: { path: string; init: RequestInit }[] = []
let answers: Answer[] = []

const sse = (event: string, data: unknown) => `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`
const json = (body: unknown, status = 200) => () => new Response(JSON.stringify(body), { status, headers: { 'X-Request-Id': 'r-1' } })

function stream(text: string, breaks = false): Answer {
  return () =>
    new Response(
      new ReadableStream({
        start(controller) {
          controller.enqueue(new TextEncoder().encode(text))
          if (breaks) setTimeout(() => controller.error(new TypeError('network error')))
          else controller.close()
        },
      }),
    )
}

const refused: Answer = () => {
  throw new TypeError('Failed to fetch')
}

beforeEach(() => {
  asked.length = 0
  vi.stubGlobal('fetch', async (path: string, init: RequestInit) => {
    asked.push({ path, init })
    const answer = answers.shift()
    if (!answer) throw new Error(`nothing to answer ${path} with`)
    return answer()
  })
})
afterEach(() => vi.unstubAllGlobals())

const runner = () => useRunner({ pausesMs: [0] })
const start = sse('start', { id: ID, createdAt: '', warm: true })
const keyOf = (at: number) => (asked[at]!.init.headers as Record<string, string>)['Idempotency-Key']

describe('useRunner', () => {
  it('shows output as it comes, then the result', async () => {
    answers = [stream(`:\n\n${start}${sse('stdout', { text: 'one\n' })}${sse('stdout', { text: 'two\n' })}${sse('result', result)}`)]
    const run = runner()
    await run.start(request)
    expect(run.phase.value).toBe('done')
    expect(run.log.text()).toBe('one\ntwo\n')
    expect(run.result.value!.id).toBe(ID)
    expect(asked.length).toBe(1)
  })

  it('asks for the result by id when the stream breaks', async () => {
    answers = [stream(start + sse('stdout', { text: 'one\n' }), true), refused, json({ error: 'x', code: 'server_busy', message: 'm' }, 503), json({ id: ID, status: 'running' }), json(result)]
    const run = runner()
    await run.start(request)
    expect(asked.slice(1).map((one) => one.path)).toEqual(Array(4).fill(`/api/run/${ID}`))
    expect(run.phase.value).toBe('done')
    expect(run.log.text()).toBe('one\ntwo\n')
    expect(run.lost.value).toBe(false)
  })

  it('asks for it when a stream ends before its result, too', async () => {
    answers = [stream(start), json(result)]
    const run = runner()
    await run.start(request)
    expect(run.result.value).toEqual(result)
  })

  it('sends the same request with the same key while the id is not known', async () => {
    answers = [stream(':\n\n', true), stream(start + sse('stdout', { text: 'one\ntwo\n' }) + sse('result', result))]
    const run = runner()
    await run.start(request)
    expect(run.phase.value).toBe('done')
    expect(asked.map((one) => one.path)).toEqual(['/api/run', '/api/run'])
    expect(keyOf(0)).toBe(keyOf(1))
    expect(asked[0]!.init.body).toBe(asked[1]!.init.body)
  })

  it('keeps what came live when the server died with the run', async () => {
    answers = [stream(start + sse('stdout', { text: 'one\n' }), true), refused, json({ ...result, stdout: '', outcome: 'sandbox_error' })]
    const run = runner()
    await run.start(request)
    expect(run.result.value!.outcome).toBe('sandbox_error')
    expect(run.log.text()).toBe('one\n')
  })

  it('takes a refusal as the answer', async () => {
    answers = [json({ error: 'Invalid payload', code: 'invalid', message: 'Mend it.', details: [{ path: 'policy.timeoutMs', message: 'too much' }] }, 400)]
    const run = runner()
    await run.start(request)
    expect(run.phase.value).toBe('failed')
    expect(run.error.value).toMatchObject({ status: 400, requestId: 'r-1', problems: [{ path: 'policy.timeoutMs', message: 'too much' }] })
  })

  it('tells of an error within the stream, and asks no further', async () => {
    answers = [stream(sse('error', { code: 'storage_unavailable', message: 'Later.', requestId: 'r-2' }))]
    const run = runner()
    await run.start(request)
    expect(run.error.value).toMatchObject({ code: 'storage_unavailable', requestId: 'r-2' })
    expect(asked.length).toBe(1)
  })

  it('stops as soon as the id is known', async () => {
    answers = [stream(start, true), json({ ...result, outcome: 'cancelled' })]
    const run = runner()
    const done = run.start(request)
    await run.stop()
    await done
    await vi.waitFor(() => expect(run.result.value?.outcome).toBe('cancelled'))
    expect(asked[1]!.path).toBe(`/api/run/${ID}/cancel`)
  })

  it('drops what is left of an earlier run', async () => {
    answers = [stream(start + sse('stdout', { text: 'old' }), true), stream(start + sse('result', { ...result, stdout: 'new' }))]
    const run = runner()
    const first = run.start(request)
    await run.start(request)
    await first
    expect(run.log.text()).toBe('new')
  })

  it('remembers the run for a page that is loaded again', async () => {
    const remembered: (string | null)[] = []
    answers = [stream(start + sse('result', result))]
    await useRunner({ remember: (id) => remembered.push(id) }).start(request)
    expect(remembered).toEqual([ID, null])
    answers = [json({ id: ID, status: 'running' }), json(result)]
    const run = runner()
    await run.resume(ID)
    expect(run.log.text()).toBe('one\ntwo\n')
  })
})

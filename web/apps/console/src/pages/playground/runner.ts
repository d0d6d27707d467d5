/**
 * One run from the press of the button to its result. The request carries an idempotency key, so the
 * run goes on when the connection breaks, and its result is asked for until it is there: by the
 * run's id, or, while that is not known, by sending the same request again.
 */
import { computed, ref, shallowRef, type ComputedRef, type Ref, type ShallowRef } from 'vue'
import { ApiError, call, send, type Schemas } from '@/api/client'
import { readEvents } from '@/lib/sse'
import type { RunRequest } from './model'
import { OutputLog } from './output'

export type RunResult = Schemas['RunResult']

export type Phase =
  | 'idle'
  | 'waiting' // sent, and in the queue
  | 'installing'
  | 'running'
  | 'done'
  | 'failed' // there is no result, and none will come

export interface Runner {
  phase: Ref<Phase>
  busy: ComputedRef<boolean>
  stopping: Ref<boolean>
  /** The connection broke; the result is being asked for. */
  lost: Ref<boolean>
  id: Ref<string | null>
  /** By performance.now(), when the program began. */
  beganAt: Ref<number | null>
  result: ShallowRef<RunResult | null>
  error: ShallowRef<ApiError | null>
  log: OutputLog
  /** Increases with the output. */
  version: Ref<number>
  start: (request: RunRequest) => Promise<void>
  stop: () => Promise<void>
  /** Asks for the run that was under way when the page was left. */
  resume: (id: string) => Promise<void>
  clear: () => void
}

export interface RunnerOptions {
  /** Between two askings for a result. */
  pausesMs?: number[]
  /** Called with the run's id once it is known, with null when it is over. */
  remember?: (id: string | null) => void
}

const PAUSES_MS = [300, 1000, 2000, 4000, 8000]
/** Then the server has had its time to come back. */
const TRIES_MAX = 60

export function newKey(): string {
  if (typeof crypto.randomUUID === 'function') return crypto.randomUUID()
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('')
}

function toApiError(error: unknown): ApiError {
  return error instanceof ApiError ? error : new ApiError(0, 'unreachable', String((error as Error)?.message ?? error))
}

/** May the same request have another answer soon? Not found: it may not have been admitted yet. */
function isPassing(error: ApiError): boolean {
  return error.status === 0 || error.status === 502 || error.status === 503 || error.status === 504
}

export function useRunner(options: RunnerOptions = {}): Runner {
  const phase = ref<Phase>('idle')
  const stopping = ref(false)
  const lost = ref(false)
  const id = ref<string | null>(null)
  const beganAt = ref<number | null>(null)
  const result = shallowRef<RunResult | null>(null)
  const error = shallowRef<ApiError | null>(null)
  const version = ref(0)
  const log = new OutputLog(() => {
    version.value++
  })
  const busy = computed(() => phase.value === 'waiting' || phase.value === 'installing' || phase.value === 'running')
  let current = 0 // of the run that is shown; what is left of earlier ones is not listened to

  function begin(): number {
    log.clear()
    result.value = null
    error.value = null
    id.value = null
    beganAt.value = null
    stopping.value = false
    lost.value = false
    phase.value = 'waiting'
    return ++current
  }

  function finish(run: RunResult) {
    // Where the sandbox or the server died, what came live is all there is.
    if (run.outcome !== 'sandbox_error' || run.stdout || run.stderr) log.complete(run.stdout, run.stderr)
    result.value = run
    id.value = run.id
    phase.value = 'done'
    stopping.value = false
    lost.value = false
    options.remember?.(null)
  }

  function fail(failure: ApiError) {
    error.value = failure
    phase.value = 'failed'
    stopping.value = false
    lost.value = false
    options.remember?.(null)
  }

  function learnId(known: string) {
    if (id.value === known) return
    id.value = known
    options.remember?.(known)
    if (stopping.value) void sendCancel(known)
  }

  /** True when the stream came to its end. */
  async function follow(mine: number, request: RunRequest, key: string): Promise<boolean> {
    const response = await send('/api/run', {
      method: 'POST',
      body: request,
      headers: { Accept: 'text/event-stream', 'Idempotency-Key': key },
    })
    if (mine !== current || !response.body) return true
    for await (const { event, data } of readEvents(response.body)) {
      if (mine !== current) return true
      const value = JSON.parse(data)
      if (event === 'install') {
        learnId((value as Schemas['StreamInstall']).id)
        phase.value = 'installing'
      } else if (event === 'start') {
        learnId((value as Schemas['StreamStart']).id)
        if (lost.value) log.clear() // all of it comes again
        lost.value = false
        beganAt.value = performance.now()
        phase.value = 'running'
      } else if (event === 'stdout' || event === 'stderr') {
        log.append(event, (value as Schemas['StreamText']).text)
      } else if (event === 'result') {
        finish(value as RunResult)
        return true
      } else if (event === 'error') {
        const told = value as Schemas['Error']
        throw new ApiError(500, told.code, told.message, told.requestId)
      }
    }
    return false
  }

  async function ask(known: string): Promise<boolean> {
    const answer = await call<RunResult | Schemas['RunStatus']>(`/api/run/${known}`)
    if ('outcome' in answer) {
      finish(answer)
      return true
    }
    if (answer.status === 'running' && phase.value === 'waiting') phase.value = 'running'
    return false
  }

  const pause = (attempt: number) => {
    const pauses = options.pausesMs ?? PAUSES_MS
    return new Promise((resolve) => setTimeout(resolve, pauses[Math.min(attempt, pauses.length - 1)]))
  }

  /** Until there is a result, or none can come. `again` sends the request once more. */
  async function pursue(mine: number, again: (() => Promise<boolean>) | null) {
    let failure = new ApiError(0, 'lost', 'The connection broke and the server did not come back.')
    for (let attempt = 0; attempt < TRIES_MAX; attempt++) {
      await pause(attempt)
      if (mine !== current) return
      try {
        if (id.value) {
          if (await ask(id.value)) return
          attempt = Math.min(attempt, 4) // it is alive, and may take its time
        } else if (again) {
          if (await again()) return
        }
      } catch (thrown) {
        if (mine !== current) return
        failure = toApiError(thrown)
        if (!isPassing(failure)) break
      }
    }
    if (mine === current) fail(failure)
  }

  async function start(request: RunRequest) {
    const mine = begin()
    const key = newKey()
    const once = () => follow(mine, request, key)
    try {
      if (await once()) return
    } catch (thrown) {
      if (mine !== current) return
      const failure = toApiError(thrown)
      // What the server said before the stream is its answer; a stream that broke is not.
      if (failure.status !== 0 || (failure.code === 'unreachable' && !id.value && !navigator.onLine)) {
        fail(failure)
        return
      }
    }
    if (mine !== current) return
    lost.value = true
    await pursue(mine, once)
  }

  async function resume(known: string) {
    const mine = begin()
    id.value = known
    lost.value = true
    await pursue(mine, null)
  }

  async function sendCancel(known: string) {
    const mine = current
    try {
      const ended = await call<RunResult>(`/api/run/${known}/cancel`, { method: 'POST' })
      if (mine === current && busy.value) finish(ended)
    } catch (thrown) {
      const failure = toApiError(thrown)
      if (mine !== current || failure.status === 409) return // it has ended: its result is on the way
      stopping.value = false
      throw failure
    }
  }

  async function stop() {
    if (!busy.value || stopping.value) return
    if (lost.value && !id.value) {
      current++ // nothing to stop that we know of: no longer wait for it
      fail(new ApiError(0, 'gave_up', 'The server could not be reached. What you typed is kept; run it again when it is back.'))
      return
    }
    stopping.value = true
    if (id.value) await sendCancel(id.value)
  }

  function clear() {
    current++
    begin()
    phase.value = 'idle'
  }

  return { phase, busy, stopping, lost, id, beganAt, result, error, log, version, start, stop, resume, clear }
}

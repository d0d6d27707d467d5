/**
 * Requests to the server, same origin, with the session's cookie. Errors are ApiError, whatever
 * went wrong: what the server said, or that it could not be reached (status 0).
 */
import type { components } from './contract'

export type Schemas = components['schemas']

export interface Problem {
  path: string
  message: string
}

export class ApiError extends Error {
  constructor(
    /** HTTP status; 0: no answer came. */
    readonly status: number,
    /** The server's word for it: "rate_limited", "not_found", …; "unreachable" without an answer. */
    readonly code: string,
    message: string,
    readonly requestId: string | null = null,
    readonly retryAfterS: number | null = null,
    readonly problems: Problem[] = [],
  ) {
    super(message)
    this.name = 'ApiError'
  }
}

export interface CallOptions {
  method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  query?: Record<string, string | number | boolean | null | undefined>
  body?: unknown
  headers?: Record<string, string>
  signal?: AbortSignal
  /** Sent even when the page is being left. */
  keepalive?: boolean
}

/** Called when an answer says that nobody is signed in (any more). */
let onSignedOut: () => void = () => {}

export function setSignedOutHandler(handler: () => void) {
  onSignedOut = handler
}

export function withQuery(path: string, query: CallOptions['query'] = {}): string {
  const pairs = Object.entries(query).filter(([, value]) => value !== undefined && value !== null && value !== '')
  const text = new URLSearchParams(pairs.map(([name, value]) => [name, String(value)])).toString()
  return text ? `${path}?${text}` : path
}

async function readError(response: Response): Promise<ApiError> {
  const requestId = response.headers.get('X-Request-Id')
  const retry = Number(response.headers.get('Retry-After'))
  const body = (await response.json().catch(() => null)) as Record<string, unknown> | null
  const text = (name: string) => (typeof body?.[name] === 'string' ? (body[name] as string) : null)
  return new ApiError(
    response.status,
    text('code') ?? `http_${response.status}`,
    text('message') ?? text('error') ?? `The server answered ${response.status}.`,
    requestId,
    retry > 0 ? retry : null,
    Array.isArray(body?.details) ? (body.details as Problem[]) : [],
  )
}

/** The answer itself, for streams and downloads. Throws ApiError when it is not a 2xx. */
export async function send(path: string, options: CallOptions = {}): Promise<Response> {
  const headers: Record<string, string> = { Accept: 'application/json', ...options.headers }
  if (options.body !== undefined) headers['Content-Type'] = 'application/json'
  let response: Response
  try {
    response = await fetch(withQuery(path, options.query), {
      method: options.method ?? 'GET',
      headers,
      body: options.body === undefined ? undefined : JSON.stringify(options.body),
      signal: options.signal,
      keepalive: options.keepalive,
      credentials: 'same-origin',
    })
  } catch (error) {
    if (options.signal?.aborted) throw error
    throw new ApiError(
      0,
      'unreachable',
      navigator.onLine
        ? 'The server cannot be reached. It may be restarting; nothing you typed is lost.'
        : 'You are offline. Nothing you typed is lost.',
    )
  }
  if (response.ok) return response
  const error = await readError(response)
  if (error.status === 401) onSignedOut()
  throw error
}

/** The JSON of the answer. */
export async function call<T>(path: string, options: CallOptions = {}): Promise<T> {
  const response = await send(path, options)
  return (await response.json()) as T
}

/** Programs shared by link: what is sent, and what one that was opened becomes. */
import { call, type Schemas } from '@/api/client'
import { readSandbox } from './draft'
import { requestOf, type Sandbox } from './model'

export type ShareMade = Schemas['ShareMade']
export type ListedShare = Schemas['ShareList']['shares'][number]

export function createShare(sandbox: Sandbox, title: string, expiresInDays: number | null): Promise<ShareMade> {
  const body = requestOf(sandbox)
  delete body.artifacts
  // The server keeps the names alone; the values need not even be sent.
  if (body.env) body.env = Object.fromEntries(Object.keys(body.env).map((name) => [name, '']))
  return call<ShareMade>('/api/shares', {
    method: 'POST',
    body: { ...body, title: title.trim() || undefined, expiresInDays: expiresInDays ?? undefined, forkedFrom: sandbox.forkedFrom ?? undefined },
  })
}

/** As it will run here: a fork from now on. Null when it holds no program. */
export function sandboxOf(share: Pick<Schemas['Share'], 'id' | 'request'>): Sandbox | null {
  const sandbox = readSandbox(share.request)
  return sandbox && { ...sandbox, forkedFrom: share.id }
}

export async function openShare(id: string): Promise<{ title: string; sandbox: Sandbox | null }> {
  const share = await call<Schemas['Share']>(`/api/shares/${encodeURIComponent(id)}`)
  return { title: share.title, sandbox: sandboxOf(share) }
}

import { afterEach, describe, expect, it, vi } from 'vitest'
import { makeSandbox } from './model'
import { createShare, sandboxOf } from './share'

afterEach(() => vi.unstubAllGlobals())

const sandbox = makeSandbox('python', 'print(1)', { env: [{ name: 'TOKEN', value: 'secret' }], args: ['a'], packages: ['numpy'], forkedFrom: 'an-id' })

describe('shares', () => {
  it('are sent without values of the environment, with where they came from', async () => {
    const sent: string[] = []
    vi.stubGlobal('fetch', async (_path: string, init: RequestInit) => {
      sent.push(String(init.body))
      return new Response('{}', { status: 201 })
    })
    await createShare(sandbox, ' ', null)
    expect(sent[0]).not.toContain('secret')
    expect(JSON.parse(sent[0]!)).toMatchObject({ env: { TOKEN: '' }, forkedFrom: 'an-id', lang: 'python' })
    expect(JSON.parse(sent[0]!)).not.toHaveProperty('title')
  })

  it('become programs that can be changed, by any form of the request', () => {
    const id = '0193c2f0-6d1e-7a54-8a43-5f1f0e9d2b11'
    const request = { lang: 'node', code: 'x', packages: { packages: ['lodash'] }, policy: { allowNet: true, allowedHosts: ['example.com'], timeoutMs: 100 }, env: { A: '' } }
    expect(sandboxOf({ id, request: request as never })).toMatchObject({
      lang: 'node',
      files: [{ path: 'main.js', content: 'x', encoding: 'utf8' }],
      packages: ['lodash'],
      policy: { network: true, hosts: ['example.com'], timeoutMs: 100 },
      env: [{ name: 'A', value: '' }],
      forkedFrom: id,
    })
    expect(sandboxOf({ id, request: {} as never })).toBeNull()
  })
})

import { beforeEach, describe, expect, it } from 'vitest'
import { loadDraft, parseDraft, printDraft, readSandbox, saveDraft, takeHandedOver } from './draft'
import { makeSandbox } from './model'

beforeEach(() => {
  sessionStorage.clear()
  localStorage.clear()
})

const full = makeSandbox('node', 'console.log(1)', {
  args: ['a b', ''],
  env: [{ name: 'TOKEN', value: 'secret' }],
  packages: ['lodash'],
  stdin: 'x\n',
})

describe('drafts', () => {
  it('come back as they were', () => {
    expect(parseDraft(printDraft(full))).toEqual(full)
    expect(saveDraft(full)).toBe(true)
    expect(loadDraft()).toEqual(full)
  })

  it('pass to another tab without the values of the environment', () => {
    saveDraft(full)
    sessionStorage.clear()
    expect(loadDraft()).toEqual({ ...full, env: [{ name: 'TOKEN', value: '' }] })
    expect(JSON.stringify({ ...localStorage })).not.toContain('secret')
  })

  it('of the first version are read', () => {
    const draft = parseDraft(JSON.stringify({ lang: 'node', code: 'console.log(1)', policy: { allowNet: true, allowedHosts: ['example.com'], timeoutMs: 500 } }))
    expect(draft?.files).toEqual([{ path: 'main.js', content: 'console.log(1)', encoding: 'utf8' }])
    expect(draft?.policy).toMatchObject({ network: true, hosts: ['example.com'], timeoutMs: 500 })
  })

  it('of a later version are left alone', () => {
    expect(parseDraft(JSON.stringify({ version: 99, sandbox: full }))).toBeNull()
  })

  it('survive what is broken', () => {
    expect(parseDraft('{')).toBeNull()
    expect(parseDraft('[]')).toBeNull()
    expect(parseDraft('{"files":[{"path":1}]}')).toBeNull()
    expect(readSandbox({ files: [{ path: 'a.py', content: 'x' }, { path: 'a.py', content: 'y' }], entry: 'gone.py', policy: { timeoutMs: '5' }, env: { A: '1' } })).toMatchObject({
      files: [{ path: 'a.py', content: 'x' }],
      entry: 'a.py',
      env: [{ name: 'A', value: '1' }],
      policy: { timeoutMs: null },
    })
  })

  it('are taken from another page once', () => {
    const run = { lang: 'python', entry: 'main.py', files: [{ path: 'main.py', content: 'print(1)' }], policy: { timeoutMs: 3000, allowNet: true, allowedHosts: ['a.example'] }, runId: 'r1' }
    sessionStorage.setItem('docle.playground.open', JSON.stringify(run))
    expect(takeHandedOver()).toMatchObject({ entry: 'main.py', policy: { timeoutMs: 3000, network: true, hosts: ['a.example'] } })
    expect(takeHandedOver()).toBeNull()
    localStorage.setItem('docle.playground.open', JSON.stringify(run))
    expect(takeHandedOver()).not.toBeNull()
    expect(takeHandedOver()).toBeNull()
  })
})

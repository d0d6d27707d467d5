import { beforeEach, describe, expect, it, vi } from 'vitest'
import { loadHistory, ONE_MAX, pastRunOf, RUNS_MAX, saveHistory, titleOf, withRun, type PastRun } from './history'
import { makeSandbox } from './model'
import type { RunResult } from './runner'

beforeEach(() => localStorage.clear())

const result = (id: string) => ({ id, createdAt: '2026-01-01T00:00:00.000Z', lang: 'python', outcome: 'ok', exitCode: 0, usage: { durationMs: 5, cpuMs: 1, memMB: 8 } }) as RunResult
const past = (id: string, code = 'print(1)') => pastRunOf(makeSandbox('python', code, { env: [{ name: 'TOKEN', value: 'secret' }] }), result(id))

describe('history', () => {
  it('keeps the last runs, newest first, each once', () => {
    let list: PastRun[] = []
    for (let n = 0; n < RUNS_MAX + 10; n++) list = withRun(list, past(`r${n}`))
    expect(list.length).toBe(RUNS_MAX)
    expect(list[0]!.id).toBe(`r${RUNS_MAX + 9}`)
    expect(withRun(list, past(list[5]!.id)).length).toBe(RUNS_MAX)
  })

  it('is bounded in bytes', () => {
    let list: PastRun[] = []
    for (let n = 0; n < 20; n++) list = withRun(list, past(`r${n}`, 'x'.repeat(1000)), 10_000)
    expect(list.length).toBeLessThan(10)
    expect(JSON.stringify(list).length).toBeLessThan(10_100)
    expect(past('big', 'x'.repeat(ONE_MAX)).sandbox).toBeNull()
  })

  it('never holds values of the environment', () => {
    saveHistory(withRun([], past('r')))
    expect(JSON.stringify({ ...localStorage })).not.toContain('secret')
    expect(loadHistory()[0]!.sandbox!.env).toEqual([{ name: 'TOKEN', value: '' }])
  })

  it('gives way when the browser has no room', () => {
    const list = Array.from({ length: 8 }, (_, n) => past(`r${n}`))
    const setItem = (_key: string, value: string) => {
      if (value.length > 1500) throw new DOMException('full', 'QuotaExceededError')
    }
    vi.stubGlobal('localStorage', { setItem })
    const kept = saveHistory(list)
    expect(kept.length).toBeLessThan(8)
    expect(kept[0]!.id).toBe('r0')
    vi.unstubAllGlobals()
  })

  it('survives what is broken', () => {
    localStorage.setItem('docle.playground.history', '[1, null, {"id": "x"}]')
    expect(loadHistory()).toEqual([])
    localStorage.setItem('docle.playground.history', '{"a": 1}')
    expect(loadHistory()).toEqual([])
  })

  it('is titled by the first line that says something', () => {
    expect(titleOf(makeSandbox('python', '#!/usr/bin/python\n# note\nimport os\n\n  print(1)\n'))).toBe('print(1)')
    expect(titleOf(makeSandbox('python', ''))).toBe('empty')
  })
})

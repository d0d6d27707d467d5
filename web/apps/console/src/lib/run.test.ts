import { execFileSync } from 'node:child_process'
import { describe, expect, it } from 'vitest'
import { bodyOf, curlOf, filesOf, handOver, policyRows, stagesOf } from './run'
import { shellQuote } from './shell'

const run = {
  id: 'r1',
  request: { lang: 'python', entrypoint: 'main.py', code: `print('it''s "$HOME" \`x\` \\n')\n`, env: { TOKEN: '[redacted]' }, args: ["-'"] },
  policy: { timeoutMs: 3000, clamped: ['timeoutMs'] },
}

describe('the request again', () => {
  it('has the inputs and limits, and no values of the environment', () => {
    expect(bodyOf(run)).toEqual({ lang: 'python', code: run.request.code, args: ["-'"], policy: { timeoutMs: 3000 } })
    expect(bodyOf({ id: 'x', request: { repo: 'a/b', files: [{ path: 'a', content: '' }], entrypoint: 'a' } })).toEqual({
      repo: 'a/b',
      entrypoint: 'a',
      policy: {},
    })
  })
  it('keeps what the network was let reach', () => {
    const policy = { allowNet: true, allowedHosts: ['a.example'] }
    expect(bodyOf({ id: 'x', request: { code: 'x', policy }, policy: { memoryMB: 64, clamped: [] } }).policy).toEqual({ memoryMB: 64, ...policy })
  })
  it('reaches curl through a shell as it is', () => {
    const command = curlOf(run, "https://x.example/'$(touch /tmp/no)")
    const seen = execFileSync('sh', ['-c', `curl() { printf '%s\\0' "$@"; }; DOCLE_API_KEY=k; ${command}`]).toString().split('\0')
    expect(seen[0]).toBe("https://x.example/'$(touch /tmp/no)/api/run")
    expect(JSON.parse(seen[seen.indexOf('-d') + 1]!)).toEqual({ ...bodyOf(run), env: { TOKEN: 'FILL IN' } })
  })
  it('is handed to the playground', () => {
    expect(handOver(run)).toMatchObject({ lang: 'python', entry: 'main.py', files: [{ path: 'main.py' }], runId: 'r1', policy: { timeoutMs: 3000 } })
    expect(filesOf({})).toEqual([])
  })
  it('quotes for a shell', () => {
    expect(shellQuote("a'b")).toBe("'a'\\''b'")
  })
})

describe('the course', () => {
  it('has shares that add up, each to be seen', () => {
    const stages = stagesOf({ createdAt: '', installMs: 1000, queueMs: 0, runMs: 3000 })
    expect(stages.map((stage) => stage.name)).toEqual(['install', 'queue', 'run'])
    expect(stages.reduce((sum, stage) => sum + stage.share, 0)).toBeCloseTo(100)
    expect(Math.min(...stages.map((stage) => stage.share))).toBeGreaterThan(1)
    expect(stagesOf({ createdAt: '' })).toEqual([])
  })
})

describe('limits', () => {
  it('are named, and what a ceiling lowered is marked', () => {
    expect(policyRows(run.policy)).toEqual([{ field: 'timeoutMs', label: 'Time', value: 3000, unit: 'ms', lowered: true }])
  })
})

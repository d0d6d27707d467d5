import { afterEach, describe, expect, it, vi } from 'vitest'
import { rangeProblem, useCeilings } from './ceilings'

afterEach(() => vi.unstubAllGlobals())

describe('ceilings', () => {
  it('are those that the server says, and the contract\'s where it says none', async () => {
    const timeoutMs = { min: 100, max: 3000, default: 3000 }
    vi.stubGlobal('fetch', async () => new Response(JSON.stringify({ policy: { timeoutMs } })))
    const ceilings = useCeilings()
    await ceilings.load(true)
    expect(ceilings.ranges.value.timeoutMs).toEqual(timeoutMs)
    expect(ceilings.ranges.value.memoryMB.max).toBe(2048)
  })

  it('do without an answer', async () => {
    vi.stubGlobal('fetch', async () => new Response('{}', { status: 503 }))
    const ceilings = useCeilings()
    await ceilings.load(true)
    expect(ceilings.ranges.value.timeoutMs.max).toBe(300_000)
  })

  it('without an account are those of the server\'s word on it', async () => {
    const ceilings = useCeilings()
    await ceilings.load(false, { memoryMB: { min: 64, max: 128, default: 128 } })
    expect(ceilings.ranges.value.memoryMB.max).toBe(128)
  })

  it('say what is wrong with a number', () => {
    const range = { min: 1, max: 10, default: 5 }
    expect(rangeProblem(null, range)).toBeNull()
    expect(rangeProblem(10, range)).toBeNull()
    expect(rangeProblem(0, range)).toBe('At least 1.')
    expect(rangeProblem(11, range, (value) => `${value} MB`)).toBe('At most 10 MB here.')
  })
})

import { describe, expect, it } from 'vitest'
import { costOf, costText } from './cost'
import type { RunResult } from './runner'

describe('cost', () => {
  it('is an amount, nothing, or not known', async () => {
    expect(costText({ details: { cost: 0.001, currency: 'eur' } })).toContain('0.001')
    expect(costText({ cost: 0 })).toBe('nothing')
    expect(costText({})).toBeNull()
    expect(await costOf({ test: true } as RunResult)).toBe('nothing')
  })
})

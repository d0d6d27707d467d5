import { describe, expect, it } from 'vitest'
import { daysIn, lastPeriods, perDay, periodOf, successRate, type UsageMonth } from './usage'

const month = (period: string, more: Partial<UsageMonth> = {}) => ({ period, byDay: [], byOutcome: [], ...more }) as unknown as UsageMonth

describe('periods', () => {
  it('are UTC, whatever the clock of the reader', () => {
    expect(periodOf(new Date('2026-11-30T23:30:00-05:00'))).toBe('2026-12')
  })
  it('go back over the turn of the year', () => {
    expect(lastPeriods(3, new Date('2026-01-31T12:00:00Z'))).toEqual(['2025-11', '2025-12', '2026-01'])
  })
  it('know how long months are', () => {
    expect([daysIn('2024-02'), daysIn('2026-02'), daysIn('2026-12')]).toEqual([29, 28, 31])
  })
})

describe('perDay', () => {
  const rows = [{ day: '2026-11-02', runs: 4 }] as never
  it('fills days without runs, up to today in the current month', () => {
    const days = perDay(month('2026-11', { byDay: rows }), (row) => row.runs, new Date('2026-11-03T01:00:00Z'))
    expect(days).toEqual({ labels: ['1', '2', '3'], values: [0, 4, 0] })
  })
  it('shows a past month whole', () => {
    expect(perDay(month('2026-11', { byDay: rows }), (row) => row.runs, new Date('2027-01-01T00:00:00Z')).values).toHaveLength(30)
  })
})

describe('successRate', () => {
  it('is nothing without runs', () => expect(successRate(month('2026-11'))).toBeNull())
  it('counts what ended well among all', () => {
    const byOutcome = [{ outcome: 'ok', runs: 3 }, { outcome: 'timeout', runs: 1 }] as never
    expect(successRate(month('2026-11', { byOutcome }))).toBe(0.75)
  })
})

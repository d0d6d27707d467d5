/** Reading of usage figures. Months and days are UTC. */
import type { Schemas } from '@/api/client'

export type UsageMonth = Schemas['UsageMonth']
export type UsageRow = Schemas['UsageSums'] & Record<string, unknown>

/** "2026-11" of an instant. */
export function periodOf(at: Date): string {
  return at.toISOString().slice(0, 7)
}

/** The last `count` months, oldest first. */
export function lastPeriods(count: number, now = new Date()): string[] {
  return Array.from({ length: count }, (_, at) =>
    periodOf(new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() - (count - 1 - at), 1))),
  )
}

export function daysIn(period: string): number {
  const [year, month] = period.split('-').map(Number)
  return new Date(Date.UTC(year!, month!, 0)).getUTCDate()
}

/** A value per day of the month, zeros where nothing ran; of the current month up to today. */
export function perDay(month: UsageMonth, value: (row: UsageRow) => number, now = new Date()): { labels: string[]; values: number[] } {
  const last = month.period === periodOf(now) ? now.getUTCDate() : daysIn(month.period)
  const byDay = new Map((month.byDay as UsageRow[]).map((row) => [String(row.day), value(row)]))
  const days = Array.from({ length: last }, (_, at) => at + 1)
  return {
    labels: days.map(String),
    values: days.map((day) => byDay.get(`${month.period}-${String(day).padStart(2, '0')}`) ?? 0),
  }
}

/** Share of runs that ended well; null when none ran. */
export function successRate(month: UsageMonth): number | null {
  const rows = month.byOutcome as UsageRow[]
  const all = rows.reduce((sum, row) => sum + row.runs, 0)
  const good = rows.filter((row) => row.outcome === 'ok').reduce((sum, row) => sum + row.runs, 0)
  return all ? good / all : null
}

/** What a run cost, in words. The server knows it a moment after the result. */
import { call } from '@/api/client'
import { formatMoney } from '@/lib/format'
import type { RunResult } from './runner'

interface Told {
  cost?: number
  currency?: string
  details?: { cost?: number; currency?: string }
}

export function costText(told: Told): string | null {
  const { cost, currency } = told.details?.cost === undefined ? told : told.details
  if (cost === undefined) return null
  return cost === 0 ? 'nothing' : formatMoney(cost, currency ?? 'usd')
}

/** Null: no price is in force, or nobody says. */
export async function costOf(result: RunResult): Promise<string | null> {
  if (result.test) return 'nothing'
  try {
    return costText(await call<Told>(`/api/run/${result.id}`, { query: { details: true } }))
  } catch {
    return null
  }
}

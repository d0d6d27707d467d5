/** What a run may use at most and by default, as it is in force for whoever looks. */
import { computed, shallowRef, type ComputedRef } from 'vue'
import { call } from '@/api/client'

export type PolicyName = 'timeoutMs' | 'memoryMB' | 'diskMB' | 'maxProcesses' | 'cpus'

export interface Range {
  min: number
  max: number
  default: number
}

/** The contract's own, until the server has said what is in force. */
const CONTRACT: Record<PolicyName, Range> = {
  timeoutMs: { min: 100, max: 300_000, default: 3000 },
  memoryMB: { min: 64, max: 2048, default: 256 },
  diskMB: { min: 1, max: 1024, default: 64 },
  maxProcesses: { min: 1, max: 512, default: 64 },
  cpus: { min: 0.1, max: 64, default: 1 },
}

export interface Ceilings {
  ranges: ComputedRef<Record<PolicyName, Range>>
  load: (signedIn: boolean, anonymous?: Partial<Record<PolicyName, Range>>) => Promise<void>
}

export function useCeilings(): Ceilings {
  const told = shallowRef<Partial<Record<PolicyName, Range>>>({})
  const ranges = computed(() => ({ ...CONTRACT, ...told.value }))

  async function load(signedIn: boolean, anonymous: Partial<Record<PolicyName, Range>> = {}) {
    if (!signedIn) {
      told.value = anonymous
      return
    }
    try {
      const limits = await call<{ policy?: Partial<Record<PolicyName, Range>> }>('/api/limits')
      told.value = limits.policy ?? {}
    } catch {
      told.value = {} // the contract's ranges; the server refuses what is beyond its own
    }
  }
  return { ranges, load }
}

/** Why a number cannot be; null: it can, or the default holds. */
export function rangeProblem(value: number | null, range: Range, text: (value: number) => string = String): string | null {
  if (value === null) return null
  if (value < range.min) return `At least ${text(range.min)}.`
  if (value > range.max) return `At most ${text(range.max)} here.`
  return null
}

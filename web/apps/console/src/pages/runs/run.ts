/** One run, asked for again until it has ended. */
import { onScopeDispose, ref, watch } from 'vue'
import { call, type Schemas } from '@/api/client'
import { useResource } from '@/api/resource'
import type { StoredRun } from '@/lib/run'

export type Result = Schemas['RunResult']
export type Run = Result | Schemas['RunStatus']

const EVERY_MS = 1000

export const isDone = (run: Run | null): run is Result => run !== null && 'outcome' in run

export function useRun(id: () => string) {
  const resource = useResource((signal) => call<Run>(`/api/run/${encodeURIComponent(id())}`, { query: { details: true }, signal }))
  const now = ref(Date.now())
  const timer = setInterval(() => {
    now.value = Date.now()
    if (resource.data.value && !isDone(resource.data.value) && document.visibilityState === 'visible') void resource.reload()
  }, EVERY_MS)
  watch(id, () => {
    resource.data.value = null
    void resource.reload()
  })
  onScopeDispose(() => clearInterval(timer))
  return { resource, now }
}

export function storedOf(run: Run): StoredRun {
  return { id: run.id, request: run.details?.request, policy: run.details?.policy } as StoredRun
}

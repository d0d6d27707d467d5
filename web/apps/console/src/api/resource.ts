import { onScopeDispose, ref, shallowRef, type Ref, type ShallowRef } from 'vue'
import { ApiError } from './client'

/** What the server says, kept while newer words are on their way or fail to come. */
export interface Resource<T> {
  data: ShallowRef<T | null>
  error: ShallowRef<ApiError | null>
  /** Nothing to show yet; set only after a moment, so that quick answers do not flicker. */
  waiting: Ref<boolean>
  /** Asks again; answers of earlier askings are dropped. */
  reload: () => Promise<void>
}

const WAITING_AFTER_MS = 200

export interface ResourceOptions {
  /** Ask again this often while the page is seen. */
  everyMs?: number
  /** Do not ask at once. */
  lazy?: boolean
}

export function useResource<T>(
  load: (signal: AbortSignal) => Promise<T>,
  options: ResourceOptions = {},
): Resource<T> {
  const data = shallowRef<T | null>(null)
  const error = shallowRef<ApiError | null>(null)
  const waiting = ref(false)
  let current: AbortController | null = null

  async function reload() {
    current?.abort()
    const mine = new AbortController()
    current = mine
    const timer = setTimeout(() => {
      waiting.value = data.value === null
    }, WAITING_AFTER_MS)
    try {
      const next = await load(mine.signal)
      if (current !== mine) return
      data.value = next
      error.value = null
    } catch (failure) {
      if (current !== mine || mine.signal.aborted) return
      error.value =
        failure instanceof ApiError ? failure : new ApiError(0, 'failed', String((failure as Error).message ?? failure))
    } finally {
      clearTimeout(timer)
      if (current === mine) waiting.value = false
    }
  }

  function reloadWhenSeen() {
    if (document.visibilityState === 'visible') void reload()
  }

  const timer = options.everyMs ? setInterval(reloadWhenSeen, options.everyMs) : undefined
  if (options.everyMs) document.addEventListener('visibilitychange', reloadWhenSeen)
  window.addEventListener('online', reloadWhenSeen)
  onScopeDispose(() => {
    current?.abort()
    current = null
    clearInterval(timer)
    document.removeEventListener('visibilitychange', reloadWhenSeen)
    window.removeEventListener('online', reloadWhenSeen)
  })
  if (!options.lazy) void reload()
  return { data, error, waiting, reload }
}

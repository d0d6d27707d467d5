/** The list of runs: pages by cursor, kept for the back button, brought up to date while it is seen. */
import { onScopeDispose, ref, shallowRef, watch, type Ref } from 'vue'
import { ApiError, call, type Schemas } from '@/api/client'
import { project } from '@/app/session'
import { appendRows, askedFor, mergeRows, writeFilters, type RunFilters } from '@/lib/runs'

export type Summary = Schemas['RunSummary']
type Page = Schemas['RunList']

const EVERY_MS = 4000
const KEEP_MS = 10 * 60_000
const OPEN_MAX = 5

interface Kept {
  rows: Summary[]
  cursor: string | null
  searchedTo: string | null
  at: number
}
/** By project and filters, so that going back shows what was there, in its place. */
const kept = new Map<string, Kept>()

const asError = (failure: unknown) =>
  failure instanceof ApiError ? failure : new ApiError(0, 'failed', String((failure as Error).message ?? failure))

export function useRunList(filters: Ref<RunFilters>) {
  const rows = shallowRef<Summary[] | null>(null)
  const newer = shallowRef<Summary[]>([])
  const cursor = ref<string | null>(null)
  const searchedTo = ref<string | null>(null)
  const error = shallowRef<ApiError | null>(null)
  const busy = ref(false)
  let turn = 0
  let aborter = new AbortController()

  const keyOf = () => `${project.value?.id} ${JSON.stringify(writeFilters(filters.value))}`
  let key = keyOf()

  const ask = (more: Record<string, string | number | null | undefined>) =>
    call<Page>('/api/runs', { query: { ...askedFor(filters.value, Date.now()), ...more }, signal: aborter.signal })

  function keep() {
    if (!rows.value) return
    kept.delete(key)
    kept.set(key, { rows: rows.value, cursor: cursor.value, searchedTo: searchedTo.value, at: Date.now() })
    const oldest = kept.keys().next().value
    if (kept.size > 10 && oldest !== undefined) kept.delete(oldest)
  }

  async function act(todo: (mine: number) => Promise<void>) {
    const mine = turn
    try {
      await todo(mine)
      if (mine === turn) error.value = null
    } catch (failure) {
      if (mine === turn && !aborter.signal.aborted) error.value = asError(failure)
    }
  }

  function take(page: Page) {
    cursor.value = page.nextCursor
    searchedTo.value = page.searchedTo ?? null
  }

  async function reload() {
    aborter.abort()
    aborter = new AbortController()
    turn++
    busy.value = true
    await act(async (mine) => {
      const page = await ask({ limit: 50 })
      if (mine !== turn) return
      rows.value = page.runs
      newer.value = []
      take(page)
    })
    busy.value = false
  }

  async function loadMore() {
    if (!cursor.value || busy.value) return
    busy.value = true
    await act(async (mine) => {
      const page = await ask({ limit: 50, cursor: cursor.value })
      if (mine !== turn) return
      rows.value = appendRows(rows.value ?? [], page.runs)
      take(page)
    })
    busy.value = false
  }

  /** Shows the newer ones. When there may be more of them than one page holds, from the start. */
  function showNewer() {
    if (newer.value.length >= 50) return void reload()
    rows.value = appendRows(newer.value, rows.value ?? [])
    newer.value = []
  }

  /** Open runs behind the first page are asked for one by one. */
  async function renewOpen(shown: Summary[], fresh: Set<string>) {
    const open = shown.filter((row) => row.status !== 'done' && !fresh.has(row.id)).slice(0, OPEN_MAX)
    const ended = await Promise.all(open.map((row) => call<Schemas['RunResult']>(`/api/run/${row.id}`, { signal: aborter.signal }).catch(() => null)))
    return shown.map((row) => {
      const now = ended.find((one) => one?.id === row.id)
      if (!now?.outcome) return row
      return { ...row, status: 'done' as const, outcome: now.outcome, usage: now.usage, exitCode: now.exitCode }
    })
  }

  async function renew() {
    if (document.visibilityState !== 'visible' || busy.value || !rows.value) return
    await act(async (mine) => {
      const page = await ask({ limit: 50 })
      if (mine !== turn || busy.value || !rows.value) return
      const merged = mergeRows(rows.value, page.runs)
      const renewed = await renewOpen(merged.rows, new Set(page.runs.map((row) => row.id)))
      if (mine !== turn || busy.value) return
      rows.value = renewed
      newer.value = renewed.length ? merged.newer : []
      if (!renewed.length && merged.newer.length) {
        rows.value = page.runs
        take(page)
      }
    })
  }

  function start() {
    key = keyOf()
    const was = kept.get(key)
    newer.value = []
    error.value = null
    if (was && Date.now() - was.at < KEEP_MS) {
      aborter.abort()
      aborter = new AbortController()
      turn++
      busy.value = false
      rows.value = was.rows
      cursor.value = was.cursor
      searchedTo.value = was.searchedTo
      void renew()
    } else {
      rows.value = null
      void reload()
    }
  }

  watch(
    () => keyOf(),
    () => {
      keep()
      start()
    },
  )
  start()
  const timer = setInterval(renew, EVERY_MS)
  onScopeDispose(() => {
    keep()
    clearInterval(timer)
    turn++
    aborter.abort()
  })
  return { rows, newer, cursor, searchedTo, error, busy, reload, loadMore, showNewer }
}

/** Lists of runs: filters as the address of the page holds them, and rows that are kept up to date. */

export interface RunFilters {
  q: string
  /** "", "failed", "queued", "running", or an outcome. */
  state: string
  lang: string
  key: string
  mode: string
  range: string
  user: string
}

export const NO_FILTERS: RunFilters = { q: '', state: '', lang: '', key: '', mode: '', range: '', user: '' }

export const FAILURES = ['error', 'signal', 'timeout', 'memory_limit', 'process_limit', 'install_failed', 'sandbox_error']
const RANGES: Record<string, number> = { '15m': 15 * 60_000, '1h': 3_600_000, '24h': 86_400_000, '7d': 7 * 86_400_000 }
const STATES = ['failed', 'queued', 'running', 'ok', 'cancelled', ...FAILURES]
const ALLOWED: Partial<Record<keyof RunFilters, string[]>> = {
  state: STATES,
  lang: ['python', 'node'],
  mode: ['live', 'test'],
  range: Object.keys(RANGES),
}

/** What an address says; what it cannot mean is left out. */
export function readFilters(query: Record<string, unknown>): RunFilters {
  const out = { ...NO_FILTERS }
  for (const name of Object.keys(out) as (keyof RunFilters)[]) {
    const value = query[name]
    if (typeof value !== 'string' || !value || value.length > 255) continue
    if (ALLOWED[name] && !ALLOWED[name].includes(value)) continue
    if (name === 'key' && !/^[0-9a-f-]{36}$/.test(value)) continue
    out[name] = value
  }
  return out
}

export function writeFilters(filters: RunFilters): Record<string, string> {
  return Object.fromEntries(Object.entries(filters).filter(([, value]) => value))
}

export const isFiltered = (filters: RunFilters) => Object.values(filters).some(Boolean)

/** At most so many bytes, as the server counts, in whole characters. */
export function cutBytes(text: string, max: number): string {
  let bytes = 0
  let out = ''
  for (const char of text) {
    bytes += new TextEncoder().encode(char).length
    if (bytes > max) break
    out += char
  }
  return out
}

export function askedFor(filters: RunFilters, now: number): Record<string, string | undefined> {
  const { state, range } = filters
  const open = state === 'queued' || state === 'running'
  return {
    q: cutBytes(filters.q.trim(), 200) || undefined,
    status: open ? state : undefined,
    outcome: open || !state ? undefined : state === 'failed' ? FAILURES.join(',') : state,
    lang: filters.lang || undefined,
    keyId: filters.key || undefined,
    test: filters.mode ? String(filters.mode === 'test') : undefined,
    since: RANGES[range] ? new Date(now - RANGES[range]).toISOString() : undefined,
    userId: filters.user || undefined,
  }
}

interface Row {
  id: string
  createdAt: string
}

/** Newer words about rows that are shown, and rows that are not shown yet. Nothing that is shown moves. */
export function mergeRows<T extends Row>(shown: T[], fresh: T[]): { rows: T[]; newer: T[] } {
  const byId = new Map(fresh.map((row) => [row.id, row]))
  const known = new Set(shown.map((row) => row.id))
  const newest = shown[0]?.createdAt ?? ''
  return {
    rows: shown.map((row) => byId.get(row.id) ?? row),
    newer: fresh.filter((row) => !known.has(row.id) && row.createdAt >= newest),
  }
}

/** Rows of a further page behind those that are there; none twice. */
export function appendRows<T extends Row>(shown: T[], page: T[]): T[] {
  const known = new Set(shown.map((row) => row.id))
  return [...shown, ...page.filter((row) => !known.has(row.id))]
}

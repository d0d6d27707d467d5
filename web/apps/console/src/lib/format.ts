/** Figures as people read them. Instants are ISO strings or milliseconds since 1970. */

const LOCALE = undefined // the browser's

export function formatNumber(value: number, digits = 0): string {
  return new Intl.NumberFormat(LOCALE, { maximumFractionDigits: digits }).format(value)
}

export function formatCompact(value: number): string {
  return new Intl.NumberFormat(LOCALE, { notation: 'compact', maximumFractionDigits: 1 }).format(value)
}

export function formatPercent(share: number, digits = 0): string {
  return new Intl.NumberFormat(LOCALE, { style: 'percent', maximumFractionDigits: digits }).format(share)
}

/** An amount in units of the currency, e.g. 0.042. Small amounts keep the digits they need. */
export function formatMoney(amount: number, currency = 'usd'): string {
  const small = amount !== 0 && Math.abs(amount) < 1
  return new Intl.NumberFormat(LOCALE, {
    style: 'currency',
    currency: currency.toUpperCase(),
    minimumFractionDigits: 2,
    maximumFractionDigits: small ? 6 : 2,
  }).format(amount)
}

/** "420 ms", "1.4 s", "2 min 5 s". */
export function formatDuration(ms: number): string {
  if (ms < 1000) return `${formatNumber(ms)} ms`
  if (ms < 60_000) return `${formatNumber(ms / 1000, 1)} s`
  const seconds = Math.round(ms / 1000)
  const rest = seconds % 60
  return rest ? `${Math.floor(seconds / 60)} min ${rest} s` : `${seconds / 60} min`
}

export function formatBytes(bytes: number): string {
  const units = ['B', 'KB', 'MB', 'GB']
  let value = bytes
  let unit = 0
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024
    unit++
  }
  return `${formatNumber(value, unit ? 1 : 0)} ${units[unit]}`
}

export function formatMoment(at: string | number): string {
  return new Intl.DateTimeFormat(LOCALE, { dateStyle: 'medium', timeStyle: 'short' }).format(new Date(at))
}

export function formatDay(at: string | number): string {
  return new Intl.DateTimeFormat(LOCALE, { dateStyle: 'medium', timeZone: 'UTC' }).format(new Date(at))
}

/** "2026-11" → "Nov 2026", or briefly "Nov". */
export function formatMonth(period: string, brief = false): string {
  return new Intl.DateTimeFormat(LOCALE, { month: 'short', year: brief ? undefined : 'numeric', timeZone: 'UTC' }).format(
    new Date(`${period}-01T00:00:00Z`),
  )
}

const STEPS: [Intl.RelativeTimeFormatUnit, number][] = [
  ['second', 60],
  ['minute', 60],
  ['hour', 24],
  ['day', 30],
  ['month', 12],
  ['year', Infinity],
]

/** "3 minutes ago", "in 2 days". */
export function formatAgo(at: string | number, now = Date.now()): string {
  let value = (new Date(at).getTime() - now) / 1000
  for (const [unit, size] of STEPS) {
    if (Math.abs(value) < size || size === Infinity) {
      return new Intl.RelativeTimeFormat(LOCALE, { numeric: 'auto' }).format(Math.round(value), unit)
    }
    value /= size
  }
  return ''
}

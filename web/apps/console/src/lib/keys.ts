/** The form of an API key's rules: text fields as people fill them in, and what the API takes. */
import type { Schemas } from '@/api/client'

export type Key = Schemas['Key']
export type NewKey = Schemas['NewKey']

export interface KeyForm {
  name: string
  test: boolean
  scope: 'all' | 'run' | 'read'
  expires: string
  domains: string
  addresses: string
  rate: string
  concurrent: string
  budget: string
  budgetStops: boolean
}

export type KeyErrors = Partial<Record<keyof KeyForm, string>>

export function emptyForm(): KeyForm {
  return { name: '', test: false, scope: 'all', expires: '', domains: '', addresses: '', rate: '60', concurrent: '', budget: '', budgetStops: false }
}

export function formOf(key: Key): KeyForm {
  return {
    name: key.name,
    test: key.test,
    scope: key.scopes.length === 2 ? 'all' : (key.scopes[0] ?? 'all'),
    expires: key.expires_at?.slice(0, 10) ?? '',
    domains: key.allowed_domains?.join('\n') ?? '',
    addresses: key.allowed_ips?.join('\n') ?? '',
    rate: key.rate_limit_per_minute === null ? '' : String(key.rate_limit_per_minute),
    concurrent: key.max_concurrent_runs === null ? '' : String(key.max_concurrent_runs),
    budget: key.monthly_budget === null ? '' : String(key.monthly_budget),
    budgetStops: key.budget_stops,
  }
}

function lines(text: string): string[] | null {
  const all = text.split(/[\s,]+/).filter(Boolean)
  return all.length ? all : null
}

function whole(text: string): number | null {
  return text.trim() === '' ? null : Number(text)
}

export function checkForm(form: KeyForm, now = new Date()): KeyErrors {
  const errors: KeyErrors = {}
  const rate = whole(form.rate)
  const concurrent = whole(form.concurrent)
  if (rate !== null && !(Number.isInteger(rate) && rate >= 1 && rate <= 10000)) errors.rate = 'A whole number from 1 to 10000, or nothing.'
  if (concurrent !== null && !(Number.isInteger(concurrent) && concurrent >= 1)) errors.concurrent = 'A whole number of at least 1, or nothing.'
  if (form.budget.trim() && !/^\d{1,9}([.]\d{1,6})?$/.test(form.budget.trim())) errors.budget = 'An amount such as 25 or 2.50, or nothing.'
  if (form.expires && new Date(`${form.expires}T23:59:59Z`) <= now) errors.expires = 'A day to come, or nothing.'
  return errors
}

/** What the API takes; a change leaves out `test`, which cannot change. */
export function bodyOf(form: KeyForm, change: boolean): NewKey {
  return {
    name: form.name.trim(),
    ...(change ? {} : { test: form.test }),
    scopes: form.scope === 'all' ? ['run', 'read'] : [form.scope],
    expiresAt: form.expires ? `${form.expires}T23:59:59.000Z` : null,
    allowedDomains: lines(form.domains),
    allowedIps: lines(form.addresses),
    rateLimitPerMinute: whole(form.rate),
    maxConcurrentRuns: whole(form.concurrent),
    monthlyBudget: form.budget.trim() || null,
    budgetStops: form.budgetStops,
  }
}

/** Errors of the API, given to the fields that they are about. */
export function errorsOf(problems: { path: string; message: string }[]): KeyErrors {
  const fields: Record<string, keyof KeyForm> = {
    name: 'name',
    test: 'test',
    scopes: 'scope',
    expiresAt: 'expires',
    allowedDomains: 'domains',
    allowedIps: 'addresses',
    rateLimitPerMinute: 'rate',
    maxConcurrentRuns: 'concurrent',
    monthlyBudget: 'budget',
    budgetStops: 'budgetStops',
  }
  const errors: KeyErrors = {}
  for (const { path, message } of problems) {
    const field = fields[path.split(/[.[]/)[0] ?? '']
    if (field && !errors[field]) errors[field] = message
  }
  return errors
}

/** How the key is now, in a word. */
export function stateOf(key: Key, now = Date.now()): 'active' | 'revoked' | 'expired' | 'rolled' {
  if (key.revoked_at) return 'revoked'
  if (key.expires_at && new Date(key.expires_at).getTime() <= now) return 'expired'
  return key.rolled_to ? 'rolled' : 'active'
}

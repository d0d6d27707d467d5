import { describe, expect, it } from 'vitest'
import { bodyOf, checkForm, emptyForm, errorsOf, formOf, stateOf, type Key } from './keys'

const key = (more: Partial<Key> = {}): Key => ({
  id: '01a20f32-99ac-7074-93f2-8d6df061fa78', name: 'web', prefix: 'sk_live_ab', key_prefix: 'sk_live_ab', is_active: true, test: false,
  last_used_at: null, created_at: null, revoked_at: null, scopes: ['run', 'read'], expires_at: '2027-01-31T23:59:59.000Z',
  allowed_domains: ['example.com', '*.example.org'], allowed_ips: null, rate_limit_per_minute: 60, max_concurrent_runs: null,
  monthly_budget: 2.5, budget_stops: true, rolled_to: null, ...more,
})

describe('the form of a key', () => {
  it('comes back as it was', () => {
    expect(bodyOf(formOf(key()), true)).toEqual({
      name: 'web', scopes: ['run', 'read'], expiresAt: '2027-01-31T23:59:59.000Z', allowedDomains: ['example.com', '*.example.org'],
      allowedIps: null, rateLimitPerMinute: 60, maxConcurrentRuns: null, monthlyBudget: '2.5', budgetStops: true,
    })
  })
  it('takes lists by lines, commas or blanks', () => {
    expect(bodyOf({ ...emptyForm(), addresses: ' 10.0.0.0/8, 192.0.2.1\n2001:db8::/32 ' }, false).allowedIps).toEqual(['10.0.0.0/8', '192.0.2.1', '2001:db8::/32'])
  })
  it('keeps an amount as it was written, never as a float', () => {
    expect(bodyOf({ ...emptyForm(), budget: '0.1' }, false).monthlyBudget).toBe('0.1')
  })
  it.each([
    ['rate', '0'], ['rate', '1.5'], ['rate', '10001'], ['rate', 'x'], ['concurrent', '-1'], ['budget', '1e3'], ['budget', '-1'], ['budget', '1.1234567'], ['expires', '2020-01-01'],
  ] as const)('refuses %s %s', (field, value) => {
    expect(checkForm({ ...emptyForm(), [field]: value })[field]).toBeTruthy()
  })
  it('allows nothing where nothing is a choice', () => {
    expect(checkForm({ ...emptyForm(), rate: '' })).toEqual({})
  })
  it('gives the errors of the API to their fields', () => {
    expect(errorsOf([{ path: 'allowedDomains[0]', message: 'no' }, { path: 'allowedDomains[1]', message: 'later' }, { path: 'other', message: '?' }])).toEqual({ domains: 'no' })
  })
})

describe('the state of a key', () => {
  it('is revoked before all else', () => expect(stateOf(key({ revoked_at: '2026-01-01T00:00:00.000Z', expires_at: '2020-01-01T00:00:00.000Z' }))).toBe('revoked'))
  it('is expired at the moment it says', () => expect(stateOf(key({ expires_at: '2026-01-01T00:00:00.000Z' }), Date.UTC(2026, 0, 1))).toBe('expired'))
  it('is rolled while it overlaps', () => expect(stateOf(key({ rolled_to: 'x' }), 0)).toBe('rolled'))
})

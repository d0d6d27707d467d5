import { describe, expect, it } from 'vitest'
import { appendRows, askedFor, cutBytes, isFiltered, mergeRows, NO_FILTERS, readFilters, writeFilters } from './runs'

const row = (id: string, at: number, more = {}) => ({ id, createdAt: new Date(at).toISOString(), ...more })

describe('filters', () => {
  it('read what an address may say, and nothing else', () => {
    const query = { q: 'x', state: 'failed', lang: 'ruby', key: 'no', mode: 'test', range: '1h', user: ['a'], other: 'y' }
    expect(readFilters(query)).toEqual({ ...NO_FILTERS, q: 'x', state: 'failed', mode: 'test', range: '1h' })
    expect(writeFilters(readFilters(query))).toEqual({ q: 'x', state: 'failed', mode: 'test', range: '1h' })
    expect(isFiltered(NO_FILTERS)).toBe(false)
  })
  it('become parameters of the server', () => {
    expect(askedFor(NO_FILTERS, 0)).toEqual({})
    expect(askedFor({ ...NO_FILTERS, state: 'running' }, 0)).toMatchObject({ status: 'running', outcome: undefined })
    expect(askedFor({ ...NO_FILTERS, state: 'failed' }, 0).outcome).toContain('error,signal,timeout')
    expect(askedFor({ ...NO_FILTERS, state: 'ok', mode: 'live', range: '1h' }, 3_600_000)).toMatchObject({
      outcome: 'ok',
      test: 'false',
      since: '1970-01-01T00:00:00.000Z',
    })
  })
  it('cut text by bytes, not within a character', () => {
    expect(cutBytes('é'.repeat(150), 200)).toBe('é'.repeat(100))
    expect(cutBytes('a😀', 4)).toBe('a')
  })
})

describe('rows', () => {
  it('are renewed in place, and newer ones kept apart', () => {
    const shown = [row('b', 2, { status: 'running' }), row('a', 1)]
    const { rows, newer } = mergeRows(shown, [row('c', 3), row('b', 2, { status: 'done' }), row('z', 0)])
    expect(rows).toEqual([row('b', 2, { status: 'done' }), row('a', 1)])
    expect(newer).toEqual([row('c', 3)])
  })
  it('are appended once', () => {
    expect(appendRows([row('b', 2)], [row('b', 2), row('a', 1)]).map((one) => one.id)).toEqual(['b', 'a'])
  })
})

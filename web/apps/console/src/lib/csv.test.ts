import { describe, expect, it } from 'vitest'
import { csvField, parseCsv, printCsv, separatorOf } from './csv'

describe('parseCsv', () => {
  it('reads rows, quotes and empty cells', () => {
    expect(parseCsv('a,b\n1,"x, ""y""\nz"\n,\n').rows).toEqual([
      ['a', 'b'],
      ['1', 'x, "y"\nz'],
      ['', ''],
    ])
  })
  it('takes Windows line ends, a byte order mark and a last line without end', () => {
    expect(parseCsv('\ufeffa;b\r\n1;2').rows).toEqual([
      ['a', 'b'],
      ['1', '2'],
    ])
  })
  it('bears what is broken', () => {
    expect(parseCsv('"abc').rows).toEqual([['abc']])
    expect(parseCsv('"a"b,c').rows).toEqual([['ab', 'c']])
    expect(parseCsv('').rows).toEqual([])
    expect(parseCsv('a,').rows).toEqual([['a', '']])
  })
  it('stops at the most rows and says so', () => {
    const table = parseCsv('1\n2\n3\n', 2)
    expect(table.rows).toEqual([['1'], ['2']])
    expect(table.more).toBe(true)
    expect(parseCsv('1\n2\n', 2).more).toBe(false)
  })
  it('finds the separator', () => {
    expect(separatorOf('a\tb\tc')).toBe('\t')
    expect(separatorOf('"a;b;c",d')).toBe(',')
    expect(separatorOf('')).toBe(',')
  })
})

describe('printCsv', () => {
  it('quotes and disarms formulas', () => {
    expect(printCsv([['a', 1, null], ['x "y"', 'b,c', '=1+1']])).toBe('a,1,\r\n"x ""y""","b,c",\'=1+1\r\n')
    expect(csvField(-5)).toBe('-5')
  })
})

import { describe, expect, it } from 'vitest'
import { OutputLog, ROW_MAX, ROWS_MAX, rowText } from './output'

const shown = (log: OutputLog) => log.rows().map((row) => `${row.stream === 'stderr' ? '!' : ''}${rowText(row)}`)

describe('OutputLog', () => {
  it('makes rows of lines, whatever the pieces', () => {
    const log = new OutputLog()
    for (const piece of ['a', 'b\n', '\n', 'c\nd']) log.append('stdout', piece)
    expect(shown(log)).toEqual(['ab', '', 'c', 'd'])
    expect(log.text()).toBe('ab\n\nc\nd')
  })

  it('keeps the streams apart and in order', () => {
    const log = new OutputLog()
    log.append('stdout', 'out ')
    log.append('stderr', 'err\n')
    log.append('stdout', 'put\n')
    expect(shown(log)).toEqual(['out ', '!err', 'put'])
    expect(log.text('stdout')).toBe('out put\n')
  })

  it('writes over a line after a return', () => {
    const log = new OutputLog()
    log.append('stdout', '10%\r20%\r')
    log.append('stdout', '30%\r\ndone')
    expect(shown(log)).toEqual(['30%', 'done'])
  })

  it('is bounded in rows and in their length', () => {
    const log = new OutputLog()
    log.append('stdout', 'x'.repeat(ROW_MAX * 2 + 1))
    expect(log.rows().map((row) => rowText(row).length)).toEqual([ROW_MAX, ROW_MAX, 1])
    log.append('stdout', '\n'.repeat(ROWS_MAX * 2))
    expect(log.rows().length).toBe(ROWS_MAX)
    expect(log.dropped).toBe(ROWS_MAX + 2)
    expect(log.text().length).toBe(ROW_MAX * 2 + 1 + ROWS_MAX * 2)
  })

  it('takes the result: the rest, or all of it when something was lost', () => {
    const log = new OutputLog()
    log.append('stdout', 'one\n')
    log.complete('one\ntwo\n', 'oh\n')
    expect(shown(log)).toEqual(['one', 'two', '!oh'])
    const other = new OutputLog()
    other.append('stdout', 'two\n')
    other.complete('one\ntwo\n', '')
    expect(shown(other)).toEqual(['one', 'two'])
  })
})

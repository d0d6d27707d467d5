import { describe, expect, it } from 'vitest'
import { ansiLines, AnsiText, nearestColour, withoutAnsi, type AnsiLine } from './ansi'

const ESC = '\u001b'
const shape = (text: string) => ansiLines(text).map((line) => line.map((span) => [span.text, span.style?.fg ?? null]))

describe('ansiLines', () => {
  it('keeps plain text by lines', () => {
    expect(shape('a\nb\n')).toEqual([[['a', null]], [['b', null]], []])
    expect(shape('')).toEqual([[]])
  })
  it('reads colours and their end', () => {
    expect(shape(`${ESC}[31mred${ESC}[0m plain ${ESC}[1;92mgreen`)).toEqual([
      [
        ['red', 'red'],
        [' plain ', null],
        ['green', 'green'],
      ],
    ])
    expect(ansiLines(`${ESC}[1mx`)[0]![0]!.style!.bold).toBe(true)
  })
  it('reads 256 and true colours', () => {
    expect(shape(`${ESC}[38;5;196mx${ESC}[38;2;0;100;250my${ESC}[38;5;244mz${ESC}[39mw`)[0]).toEqual([
      ['x', 'red'],
      ['y', 'blue'],
      ['z', 'grey'],
      ['w', null],
    ])
    expect(nearestColour(0, 0, 0)).toBe(null)
    expect(nearestColour(255, 255, 255)).toBe(null)
  })
  it('overwrites after a carriage return, as progress bars want it', () => {
    expect(withoutAnsi('10%\r50%\r100%\n')).toBe('100%\n')
    expect(withoutAnsi('abcdef\rxy')).toBe('xycdef')
    expect(withoutAnsi(`abcdef\r${ESC}[Kxy`)).toBe('xy')
    expect(withoutAnsi('a\r\nb')).toBe('a\nb')
    expect(withoutAnsi('ab\bc')).toBe('ac')
  })
  it('drops titles, links, cursor movements and control characters', () => {
    expect(withoutAnsi(`${ESC}]0;title\u0007a${ESC}[2Jb${ESC}]8;;http://x${ESC}\\link${ESC}]8;;${ESC}\\\u0000\u0007`)).toBe('ablink')
    expect(withoutAnsi(`${ESC}(Bx${ESC}=y`)).toBe('xy')
  })
  it('is the same however the text is cut', () => {
    const text = `a${ESC}[31mb\r\nc${ESC}]0;t${ESC}\\d${ESC}[38;5;196me${ESC}[0mf\rg`
    const merged = (lines: AnsiLine[]) =>
      lines.map((line) =>
        line.reduce<[string, string | null][]>((out, span) => {
          const last = out[out.length - 1]
          const colour = span.style?.fg ?? null
          if (last && last[1] === colour) last[0] += span.text
          else out.push([span.text, colour])
          return out
        }, []),
      )
    const whole = merged(ansiLines(text))
    for (let at = 0; at <= text.length; at++) {
      const parsed = new AnsiText()
      parsed.push(text.slice(0, at))
      parsed.push(text.slice(at))
      expect(merged(parsed.lines)).toEqual(whole)
    }
  })
  it('does not wait for a sequence that never ends', () => {
    const parsed = new AnsiText()
    for (let i = 0; i < 100; i++) parsed.push(i ? 'x'.repeat(100) : `${ESC}]`)
    expect(parsed.lines.flat().length).toBeGreaterThan(0)
  })
  it('takes much text in reasonable time', () => {
    expect(ansiLines(`${ESC}[32mok${ESC}[0m\n`.repeat(50_000)).length).toBe(50_001)
    expect(ansiLines('x\r'.repeat(100_000)).length).toBe(1)
    expect(ansiLines(`${ESC}[31mx${ESC}[32my`.repeat(100_000))[0]!.length).toBe(200_000)
  })
})

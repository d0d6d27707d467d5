/**
 * What a terminal would show of a program's output: lines of styled spans. Colours and emphasis are
 * kept, carriage returns and backspaces overwrite, all other control sequences are dropped. Takes
 * the output in pieces, however they are cut.
 */

export type AnsiColour = 'red' | 'green' | 'yellow' | 'blue' | 'magenta' | 'cyan' | 'grey'

export interface AnsiStyle {
  fg: AnsiColour | null
  bg: AnsiColour | null
  bold: boolean
  dim: boolean
  italic: boolean
  underline: boolean
  strike: boolean
  inverse: boolean
}

export interface AnsiSpan {
  text: string
  /** Null: plain. Equal styles may be distinct objects. */
  style: AnsiStyle | null
}

export type AnsiLine = AnsiSpan[]

const PLAIN: AnsiStyle = {
  fg: null,
  bg: null,
  bold: false,
  dim: false,
  italic: false,
  underline: false,
  strike: false,
  inverse: false,
}

// Black and white are the page's own: on the other theme they could not be read.
const BASIC: (AnsiColour | null)[] = [null, 'red', 'green', 'yellow', 'blue', 'magenta', 'cyan', null]
const REACH: Record<AnsiColour, [number, number, number]> = {
  red: [205, 49, 49],
  green: [13, 188, 121],
  yellow: [229, 229, 16],
  blue: [36, 114, 200],
  magenta: [188, 63, 188],
  cyan: [17, 168, 205],
  grey: [118, 118, 118],
}

/** The nearest colour that both themes have; null for what is nearly black or white. */
export function nearestColour(red: number, green: number, blue: number): AnsiColour | null {
  const high = Math.max(red, green, blue)
  const low = Math.min(red, green, blue)
  if (high - low < 32) return high < 60 || low > 190 ? null : 'grey'
  let best: AnsiColour = 'grey'
  let least = Infinity
  for (const [name, [r, g, b]] of Object.entries(REACH) as [AnsiColour, [number, number, number]][]) {
    if (name === 'grey') continue
    const scale = Math.max(r, g, b) / high // judge the hue, not how bright it is
    const away = (red * scale - r) ** 2 + (green * scale - g) ** 2 + (blue * scale - b) ** 2
    if (away < least) {
      least = away
      best = name
    }
  }
  return best
}

function fromTable(index: number): AnsiColour | null {
  if (index < 8) return BASIC[index] ?? null
  if (index < 16) return index === 8 ? 'grey' : (BASIC[index - 8] ?? null)
  if (index > 231) return nearestColour(8 + (index - 232) * 10, 8 + (index - 232) * 10, 8 + (index - 232) * 10)
  const at = index - 16
  const step = (n: number) => (n ? 55 + n * 40 : 0)
  return nearestColour(step(Math.floor(at / 36)), step(Math.floor(at / 6) % 6), step(at % 6))
}

/** The colour after 38 or 48, and how many codes it takes. */
function extended(codes: number[], at: number): [AnsiColour | null, number] {
  if (codes[at + 1] === 5) return [fromTable(codes[at + 2] ?? 0), 2]
  if (codes[at + 1] === 2) return [nearestColour(codes[at + 2] ?? 0, codes[at + 3] ?? 0, codes[at + 4] ?? 0), 4]
  return [null, 0]
}

function restyle(style: AnsiStyle, codes: number[]): AnsiStyle {
  let next = { ...style }
  for (let at = 0; at < codes.length; at++) {
    const code = codes[at] ?? 0
    if (code === 0) next = { ...PLAIN }
    else if (code === 1) next.bold = true
    else if (code === 2) next.dim = true
    else if (code === 3) next.italic = true
    else if (code === 4) next.underline = true
    else if (code === 7) next.inverse = true
    else if (code === 9) next.strike = true
    else if (code === 22) next.bold = next.dim = false
    else if (code === 23) next.italic = false
    else if (code === 24) next.underline = false
    else if (code === 27) next.inverse = false
    else if (code === 29) next.strike = false
    else if (code >= 30 && code <= 37) next.fg = BASIC[code - 30] ?? null
    else if (code >= 40 && code <= 47) next.bg = BASIC[code - 40] ?? null
    else if (code >= 90 && code <= 97) next.fg = fromTable(code - 82)
    else if (code >= 100 && code <= 107) next.bg = fromTable(code - 92)
    else if (code === 39) next.fg = null
    else if (code === 49) next.bg = null
    else if (code === 38 || code === 48) {
      const [colour, taken] = extended(codes, at)
      if (code === 38) next.fg = colour
      else next.bg = colour
      at += taken
    }
  }
  return next
}

const isPlain = (style: AnsiStyle) => (Object.keys(PLAIN) as (keyof AnsiStyle)[]).every((key) => style[key] === PLAIN[key])

// A whole control sequence; or the beginning of one, at the end of a piece.
const SEQUENCE = /\x1b(?:\[([\d;:?<=>]*)[ -/]*([@-~])|\][^\x07\x1b]*(?:\x07|\x1b\\)|[PX^_][^\x1b]*\x1b\\|[ -/]*[0-Z\\^_`-~])/y
const BEGUN = /\x1b(?:|\[[\d;:?<=>]*[ -/]*|\][^\x07\x1b]*\x1b?|[PX^_][^\x1b]*\x1b?|[ -/]+)$/y
const PLAIN_RUN = /[^\x00-\x08\x0a-\x1f\x7f]+/y
const COLUMN_MAX = 1000
const CARRY_MAX = 4096 // a sequence that never ends is not waited for

export class AnsiText {
  readonly lines: AnsiLine[] = [[]]
  private style: AnsiStyle | null = null
  private carry = ''
  private column = 0
  private length = 0 // of the last line

  push(piece: string) {
    const text = this.carry + piece
    this.carry = ''
    let at = 0
    while (at < text.length) {
      const run = this.match(PLAIN_RUN, text, at)
      if (run) {
        this.write(run[0])
        at += run[0].length
        continue
      }
      const char = text[at]
      if (char === '\n') {
        this.lines.push([])
        this.column = this.length = 0
      } else if (char === '\r') {
        if (at + 1 === text.length) {
          this.carry = '\r' // perhaps the first half of \r\n
          return
        }
        if (text[at + 1] !== '\n') this.column = 0
      } else if (char === '\b') {
        this.column = Math.max(0, this.column - 1)
      } else if (char === '\x1b') {
        const sequence = this.match(SEQUENCE, text, at)
        if (sequence) {
          if (sequence[2]) this.control(sequence[1] ?? '', sequence[2])
          at += sequence[0].length
          continue
        }
        if (this.match(BEGUN, text, at) && text.length - at < CARRY_MAX) {
          this.carry = text.slice(at)
          return
        }
      }
      at++
    }
  }

  private match(pattern: RegExp, text: string, at: number) {
    pattern.lastIndex = at
    return pattern.exec(text)
  }

  private control(parameters: string, final: string) {
    if (final === 'm') {
      const codes = parameters.split(/[;:]/).map((code) => Number(code) || 0)
      const style = restyle(this.style ?? PLAIN, codes)
      this.style = isPlain(style) ? null : style
    } else if (final === 'K') {
      // The whole line, or its end.
      const from = parameters === '' || parameters === '0' ? this.column : 0
      this.replace(cut(this.line(), 0, from))
      this.length = Math.min(this.length, from)
    } else if (final === 'G') {
      this.column = Math.min(Math.max(0, (Number(parameters) || 1) - 1), COLUMN_MAX)
    }
  }

  private line(): AnsiLine {
    return this.lines[this.lines.length - 1]!
  }

  private replace(line: AnsiLine) {
    this.lines[this.lines.length - 1] = line
  }

  private write(text: string) {
    const line = this.line()
    if (this.column === this.length) {
      const last = line[line.length - 1]
      if (last && last.style === this.style) last.text += text
      else line.push({ text, style: this.style })
    } else {
      const gap = this.column > this.length ? [{ text: ' '.repeat(this.column - this.length), style: null }] : []
      const before = [...cut(line, 0, this.column), ...gap]
      this.replace([...before, { text, style: this.style }, ...cut(line, this.column + text.length, Infinity)])
    }
    this.column += text.length
    this.length = Math.max(this.length, this.column)
  }
}

/** Columns from..to of a line. */
function cut(line: AnsiLine, from: number, to: number): AnsiLine {
  const out: AnsiLine = []
  let column = 0
  for (const span of line) {
    const text = span.text.slice(Math.max(0, from - column), Math.max(0, to - column))
    if (text) out.push({ text, style: span.style })
    column += span.text.length
  }
  return out
}

export function ansiLines(text: string): AnsiLine[] {
  const parsed = new AnsiText()
  parsed.push(text)
  return parsed.lines
}

/** What is left when the colours are taken away; for copying and for search. */
export function withoutAnsi(text: string): string {
  return ansiLines(text)
    .map((line) => line.map((span) => span.text).join(''))
    .join('\n')
}

/**
 * A run's output as rows to be shown: bounded, so that megabytes of it stay quick, with all of it
 * kept as text. Not reactive; who shows it is told by `onChange`.
 */
import { AnsiText, type AnsiLine } from '@/lib/ansi'

export type Stream = 'stdout' | 'stderr'

export interface Row {
  stream: Stream
  line: AnsiLine
}

/** Rows that can be looked at; earlier ones are only in the text. */
export const ROWS_MAX = 50_000
/** Longer lines are broken into several rows. */
export const ROW_MAX = 2000

/** A line in rows that are not too long. */
function breakLine(line: AnsiLine): AnsiLine[] {
  const rows: AnsiLine[] = [[]]
  let room = ROW_MAX
  for (const span of line) {
    for (let at = 0; at < span.text.length; ) {
      if (!room) {
        rows.push([])
        room = ROW_MAX
      }
      const text = span.text.slice(at, at + room)
      rows[rows.length - 1]!.push({ text, style: span.style })
      room -= text.length
      at += text.length
    }
  }
  return rows
}

export class OutputLog {
  /** Rows that went at the front. */
  dropped = 0
  readonly chars = { stdout: 0, stderr: 0 }
  private ended: Row[] = []
  private parts: { stream: Stream; text: string }[] = []
  private terminals = { stdout: new AnsiText(), stderr: new AnsiText() }
  private last: Stream = 'stdout'

  constructor(private onChange: () => void = () => {}) {}

  append(stream: Stream, text: string) {
    if (!text) return
    this.chars[stream] += text.length
    this.parts.push({ stream, text })
    // The other one may have stopped within a line: it goes on in a row of its own.
    if (this.last !== stream && this.openLine().length) {
      this.terminals[this.last].push('\n')
      this.collect(this.last)
    }
    this.last = stream
    this.terminals[stream].push(text)
    this.collect(stream)
    this.onChange()
  }

  /** All that can be looked at, the line that goes on included. */
  rows(): Row[] {
    const open = this.openLine()
    return open.length ? [...this.ended, ...this.asRows(this.last, open)] : this.ended
  }

  /** Everything as it came, or what one stream said. */
  text(stream?: Stream): string {
    return this.parts
      .filter((part) => !stream || part.stream === stream)
      .map((part) => part.text)
      .join('')
  }

  /** Takes what the result says of both streams: the rest of what came live, or all of it anew. */
  complete(stdout: string, stderr: string) {
    const live = { stdout: this.text('stdout'), stderr: this.text('stderr') }
    if (stdout.startsWith(live.stdout) && stderr.startsWith(live.stderr)) {
      this.append('stdout', stdout.slice(live.stdout.length))
      this.append('stderr', stderr.slice(live.stderr.length))
      return
    }
    this.clear()
    this.append('stdout', stdout)
    this.append('stderr', stderr)
  }

  clear() {
    this.ended = []
    this.dropped = 0
    this.chars.stdout = this.chars.stderr = 0
    this.parts = []
    this.terminals = { stdout: new AnsiText(), stderr: new AnsiText() }
    this.onChange()
  }

  private openLine(): AnsiLine {
    return this.terminals[this.last].lines[0]!
  }

  private asRows(stream: Stream, line: AnsiLine): Row[] {
    return breakLine(line).map((row) => ({ stream, line: row }))
  }

  /** Takes the lines that have ended out of the terminal. */
  private collect(stream: Stream) {
    const { lines } = this.terminals[stream]
    for (const line of lines.splice(0, lines.length - 1)) {
      for (const row of this.asRows(stream, line)) this.ended.push(row)
    }
    if (this.ended.length > ROWS_MAX * 1.1) {
      this.dropped += this.ended.length - ROWS_MAX
      this.ended = this.ended.slice(-ROWS_MAX)
    }
  }
}

export function rowText(row: Row): string {
  return row.line.map((span) => span.text).join('')
}

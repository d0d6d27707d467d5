/** Tables of text: RFC 4180 with the separators that spreadsheets use. */

export interface Table {
  rows: string[][]
  /** There were more rows than were asked for. */
  more: boolean
}

const SEPARATORS = [',', ';', '\t', '|']

/** The one that is most frequent in the first line, outside of quotes. */
export function separatorOf(text: string): string {
  const line = text.slice(0, 10_000).split('\n')[0]!.replace(/"[^"]*"/g, '')
  let best = ','
  for (const separator of SEPARATORS) {
    if (line.split(separator).length > line.split(best).length) best = separator
  }
  return best
}

export function parseCsv(text: string, maxRows = 1000, separator = separatorOf(text)): Table {
  const rows: string[][] = []
  let row: string[] = []
  let at = text.startsWith('\ufeff') ? 1 : 0
  let fresh = true // at the start of a row
  while (at < text.length) {
    if (fresh && rows.length === maxRows) return { rows, more: true }
    fresh = false
    let cell = ''
    if (text[at] === '"') {
      for (at++; at < text.length; at++) {
        const end = text.indexOf('"', at)
        cell += text.slice(at, end < 0 ? text.length : end)
        at = end < 0 ? text.length : end + 1
        if (text[at] !== '"') break
        cell += '"'
      }
    }
    let end = at
    while (end < text.length && text[end] !== separator && text[end] !== '\n' && text[end] !== '\r') end++
    row.push(cell + text.slice(at, end))
    at = end
    if (text[at] === separator) {
      at++
      if (at === text.length) row.push('')
    } else {
      if (text[at] === '\r' && text[at + 1] === '\n') at++
      at++
      rows.push(row)
      row = []
      fresh = true
    }
  }
  if (row.length) rows.push(row)
  return { rows, more: false }
}

/** A field as a file of this kind wants it. What a spreadsheet would take for a formula is disarmed. */
export function csvField(value: string | number | null | undefined): string {
  if (value === null || value === undefined) return ''
  const text = typeof value === 'string' && /^[=+\-@\t\r]/.test(value) ? `'${value}` : String(value)
  return /[",\n\r]/.test(text) ? `"${text.replace(/"/g, '""')}"` : text
}

export function printCsv(rows: (string | number | null | undefined)[][]): string {
  return rows.map((row) => `${row.map(csvField).join(',')}\r\n`).join('')
}

/** Places in files that tracebacks of Python and stacks of Node name. */

export interface Place {
  /** Where in the text it stands. */
  from: number
  to: number
  path: string
  line: number
  column: number | null
}

export interface Mark {
  path: string
  line: number
  message: string
}

const ROOT = '/workspace/'
// Python: File "/workspace/main.py", line 3 · Node: /workspace/main.js:3:11, file:///workspace/main.mjs:3
const PYTHON = /File "([^"\n]{1,1024})", line (\d{1,7})/g
const NODE = /(?:file:\/\/)?(\/workspace\/[^\s:()"'<>]{1,1024}):(\d{1,7})(?::(\d{1,7}))?/g

function relative(path: string): string {
  return path.startsWith(ROOT) ? path.slice(ROOT.length) : path
}

/** Those in files that `has` knows, in the order of the text. */
export function findPlaces(text: string, has: (path: string) => boolean): Place[] {
  const found: Place[] = []
  const take = (match: RegExpMatchArray, path: string, column: string | undefined) => {
    if (!has(path) || !Number(match[2])) return
    found.push({ from: match.index!, to: match.index! + match[0].length, path, line: Number(match[2]), column: column ? Number(column) : null })
  }
  for (const match of text.matchAll(PYTHON)) take(match, relative(match[1]!), undefined)
  for (const match of text.matchAll(NODE)) take(match, relative(match[1]!), match[3])
  return found.sort((a, b) => a.from - b.from)
}

const ERROR = /^(?:Uncaught )?([A-Za-z_$][\w.$]*(?:Error|Exception|Exit|Interrupt|Warning|Iteration)?(?: \[[A-Z_]+\])?): (.*)$/

/** The line to mark: for Python the last of the traceback that is ours, for Node the first. */
export function findMark(stderr: string, has: (path: string) => boolean): Mark | null {
  const tail = stderr.slice(-64_000)
  const lines = tail.split('\n')
  const python = tail.lastIndexOf('Traceback (most recent call last)')
  const isPython = python >= 0 || /^ {2}File "/m.test(tail)
  const places = findPlaces(isPython && python >= 0 ? tail.slice(python) : tail, has)
  const place = isPython ? places[places.length - 1] : places[0]
  if (!place) return null
  const errors = lines.filter((line) => ERROR.test(line) || (isPython && /^[A-Za-z_][\w.]*(Error|Exception|Interrupt)$/.test(line)))
  const message = isPython ? errors[errors.length - 1] : errors[0]
  return { path: place.path, line: place.line, message: (message ?? 'The program failed here.').slice(0, 500) }
}

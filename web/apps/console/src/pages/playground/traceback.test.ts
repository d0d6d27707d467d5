import { describe, expect, it } from 'vitest'
import { findMark, findPlaces } from './traceback'

const python = `Traceback (most recent call last):
  File "/workspace/main.py", line 4, in <module>
    go()
  File "/workspace/lib/util.py", line 12, in go
    json.loads("{")
  File "/usr/lib/python3.11/json/__init__.py", line 346, in loads
    return _default_decoder.decode(s)
json.decoder.JSONDecodeError: Expecting property name: line 1 column 2 (char 1)
`
const syntax = `  File "/workspace/main.py", line 2
    print(
         ^
SyntaxError: '(' was never closed
`
const node = `/workspace/lib/b.js:3
  throw new TypeError('no ' + x)
  ^

TypeError: no good
    at go (/workspace/lib/b.js:3:9)
    at Object.<anonymous> (/workspace/main.js:2:1)
    at Module._compile (node:internal/modules/cjs/loader:1554:14)
`
const esm = `file:///workspace/main.mjs:7
nope()
^

ReferenceError: nope is not defined
    at file:///workspace/main.mjs:7:1
`
const has = (path: string) => ['main.py', 'lib/util.py', 'lib/b.js', 'main.js', 'main.mjs'].includes(path)

describe('findPlaces', () => {
  it('finds files of Python that are ours', () => {
    expect(findPlaces(python, has).map((place) => [place.path, place.line])).toEqual([
      ['main.py', 4],
      ['lib/util.py', 12],
    ])
    const [place] = findPlaces(python, has)
    expect(python.slice(place!.from, place!.to)).toBe('File "/workspace/main.py", line 4')
  })

  it('finds files of Node with their columns', () => {
    expect(findPlaces(node, has).map((place) => [place.path, place.line, place.column])).toEqual([
      ['lib/b.js', 3, null],
      ['lib/b.js', 3, 9],
      ['main.js', 2, 1],
    ])
    expect(findPlaces(esm, has)[0]).toMatchObject({ path: 'main.mjs', line: 7, from: 0 })
  })

  it('finds nothing in what only looks like it', () => {
    expect(findPlaces('File "/etc/passwd", line 1\n/workspace/gone.js:3:1 main.py:3', has)).toEqual([])
    expect(findPlaces(`File "${'x'.repeat(100_000)}`, has)).toEqual([])
  })
})

describe('findMark', () => {
  it('marks the innermost line of ours, with the error', () => {
    expect(findMark(python, has)).toEqual({ path: 'lib/util.py', line: 12, message: 'json.decoder.JSONDecodeError: Expecting property name: line 1 column 2 (char 1)' })
    expect(findMark(syntax, has)).toEqual({ path: 'main.py', line: 2, message: "SyntaxError: '(' was never closed" })
    expect(findMark(node, has)).toEqual({ path: 'lib/b.js', line: 3, message: 'TypeError: no good' })
    expect(findMark(esm, has)).toEqual({ path: 'main.mjs', line: 7, message: 'ReferenceError: nope is not defined' })
  })

  it('marks nothing without a place', () => {
    expect(findMark('warning: something', has)).toBeNull()
    expect(findMark('', has)).toBeNull()
  })

  it('takes the last of several tracebacks', () => {
    expect(findMark(`${python}\nDuring handling of the above exception, another exception occurred:\n\nTraceback (most recent call last):\n  File "/workspace/main.py", line 9, in <module>\nKeyError: 'x'\n`, has)).toEqual({ path: 'main.py', line: 9, message: "KeyError: 'x'" })
  })
})

import { describe, expect, it } from 'vitest'
import { baseName, bytesOf, imageType, kindOf, readable, textOf } from './artifact'

const file = (path: string, text: string) => ({ path, content: btoa(text), encoding: 'base64', size: text.length })

describe('artifacts', () => {
  it('decodes base64', () => {
    expect([...bytesOf(file('a', '\u0000\u00ff'))]).toEqual([0, 255])
  })
  it('tells kinds by name and content', () => {
    expect(kindOf('plot.PNG', bytesOf(file('', 'x')))).toBe('image')
    expect(kindOf('out/data.csv', bytesOf(file('', 'a,b')))).toBe('table')
    expect(kindOf('data.csv', new Uint8Array([0, 1]))).toBe('binary')
    expect(kindOf('notes', bytesOf(file('', 'hello')))).toBe('text')
    expect(kindOf('page.html', bytesOf(file('', '<script>')))).toBe('text')
  })
  it('tells text from bytes', () => {
    expect(textOf(new TextEncoder().encode('grün'))).toBe('grün')
    expect(textOf(new Uint8Array([0xff, 0xfe, 0x41]))).toBe(null)
  })
  it('names', () => {
    expect(baseName('a/b/c.txt')).toBe('c.txt')
    expect(imageType('x.svg')).toBe('image/svg+xml')
    expect(imageType('.hidden')).toBe(null)
  })
  it('lays JSON out, and leaves alone what is none', () => {
    expect(readable('a.json', '{"a":[1]}')).toBe('{\n  "a": [\n    1\n  ]\n}')
    expect(readable('a.json', '{broken')).toBe('{broken')
    expect(readable('a.txt', '{"a":1}')).toBe('{"a":1}')
  })
})

import { describe, expect, it } from 'vitest'
import { leftFiles } from './left'

describe('leftFiles', () => {
  it('leaves out what was given and did not change, and what nobody asked for', () => {
    const out = (path: string, text: string) => ({ path, content: btoa(text), encoding: 'base64' as const, size: text.length })
    const files = [out('main.py', 'print(1)'), out('data.txt', 'new'), out('plot.png', 'x'), out('lib/__pycache__/a.pyc', 'x'), out('blob', 'ab')]
    const given = [
      { path: 'main.py', content: 'print(1)', encoding: 'utf8' as const },
      { path: 'data.txt', content: 'old', encoding: 'utf8' as const },
      { path: 'blob', content: btoa('ab'), encoding: 'base64' as const },
    ]
    expect(leftFiles(files, given).map((file) => file.path)).toEqual(['data.txt', 'plot.png'])
    expect(leftFiles(undefined, given)).toEqual([])
  })
})

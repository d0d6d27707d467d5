import { describe, expect, it } from 'vitest'
import { nameOf, suggest, wishProblem } from './packages'

describe('packages', () => {
  it('are suggested by name, those that begin so first', () => {
    expect(suggest('num', 'python', [])).toEqual(['numba', 'numexpr', 'numpy'])
    expect(suggest('numpy==1', 'python', [])).toEqual([])
    expect(suggest('num', 'python', ['NumPy>=1'])).toEqual(['numba', 'numexpr'])
    expect(suggest('', 'node', [])).toEqual([])
    expect(suggest('yaml', 'node', [])).toEqual(['yaml', 'js-yaml'])
  })

  it('are named without version and extras', () => {
    expect(nameOf('Foo_Bar[x]==1.0', 'python')).toBe('foo-bar')
    expect(nameOf('@scope/name@^1', 'node')).toBe('@scope/name')
  })

  it('are wished for as pip and npm know it', () => {
    for (const wish of ['pandas', 'pandas==2.2.3', 'a>=1,<2', 'x[extra]~=1.0']) expect(wishProblem(wish, 'python'), wish).toBeNull()
    for (const wish of ['lodash', 'lodash@4.17.21', '@scope/name@^1.2', 'next@latest']) expect(wishProblem(wish, 'node'), wish).toBeNull()
    for (const wish of ['', '-r x', '../x', 'git+https://example.com/x', 'a b', 'x; rm']) {
      expect(wishProblem(wish, 'python'), wish).not.toBeNull()
      expect(wishProblem(wish, 'node'), wish).not.toBeNull()
    }
  })
})

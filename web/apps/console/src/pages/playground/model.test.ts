import { describe, expect, it } from 'vitest'
import { firstSandbox, freePath, makeSandbox, pathProblem, requestOf, switchLang } from './model'

const files = [
  { path: 'main.py', content: '', encoding: 'utf8' as const },
  { path: 'lib/a.py', content: '', encoding: 'utf8' as const },
]

describe('pathProblem', () => {
  it('takes what the server takes', () => {
    for (const path of ['b.py', 'lib/b.py', 'data/x y.csv', '.env', 'ünï.txt']) expect(pathProblem(path, files)).toBeNull()
    for (const path of ['', '/a', 'a/', '../a', 'a//b', './a', 'a\\b', 'a\0', 'main.py', 'lib', 'main.py/x', 'x'.repeat(300)])
      expect(pathProblem(path, files), path).not.toBeNull()
    expect(pathProblem('main.py', files, 'main.py')).toBeNull()
  })

  it('finds a free name', () => {
    expect(freePath('new.py', files)).toBe('new.py')
    expect(freePath('main.py', files)).toBe('main-2.py')
  })
})

describe('requestOf', () => {
  it('holds only what was set', () => {
    expect(requestOf(firstSandbox())).toEqual({
      lang: 'python',
      files: [{ path: 'main.py', content: 'print("Hello, Docle")\n' }],
      entrypoint: 'main.py',
      artifacts: ['**'],
    })
  })

  it('holds all that was set', () => {
    const sandbox = makeSandbox('node', '', {
      stdin: 'in',
      args: ['a'],
      env: [{ name: ' A ', value: '1' }, { name: '', value: 'x' }],
      packages: ['lodash'],
      policy: { timeoutMs: 100, memoryMB: null, diskMB: null, maxProcesses: null, cpus: 0.5, network: true, hosts: [' example.com ', ''] },
    })
    expect(requestOf(sandbox)).toMatchObject({
      stdin: 'in',
      args: ['a'],
      env: { A: '1' },
      packages: ['lodash'],
      policy: { timeoutMs: 100, cpus: 0.5, allowNet: true, allowedHosts: ['example.com'] },
    })
  })
})

describe('switchLang', () => {
  it('starts anew where nothing was typed, and keeps files where something was', () => {
    expect(switchLang(firstSandbox('python'), 'node').files[0]!.path).toBe('main.js')
    const typed = switchLang(makeSandbox('python', 'print(2)'), 'node')
    expect(typed.files.map((file) => file.path)).toEqual(['main.py', 'main.js'])
    expect(switchLang(typed, 'python').entry).toBe('main.py')
  })
})

import { execFileSync } from 'node:child_process'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { pythonValue } from '@/lib/python'
import { shellQuote } from '@/lib/shell'
import { bodyOf, codeFor } from './code'
import { EXAMPLES } from './examples'
import { makeSandbox } from './model'

const nasty = makeSandbox('python', `print('it''s', "\\n", '''$HOME \`x\` \u2028 😀''')\n`, { env: [{ name: 'TOKEN', value: 'secret' }], args: ["a'b", '$x'] })

describe('code', () => {
  it('quotes for a shell, as the shell reads it', () => {
    const text = `it's "$HOME" \\ \`x\`\nend`
    expect(execFileSync('sh', ['-c', `printf %s ${shellQuote(text)}`]).toString()).toBe(text)
  })

  it('writes values as Python reads them', () => {
    const value = { a: [1, true, null], b: { c: 'zł 😀 \u2028 "\'\\' }, d: [{ e: false }] }
    const script = `import json; print(json.dumps(${pythonValue(value)}))`
    expect(JSON.parse(execFileSync('python3', ['-c', script]).toString())).toEqual(value)
  })

  it('sends the same body by every client', () => {
    const curl = codeFor('curl', nasty, 'http://x', 'sk_live_ab12')
    const caught = execFileSync('sh', ['-c', `curl() { shift 6; printf %s "$1"; }\n${curl}`]).toString()
    expect(JSON.parse(caught)).toEqual(bodyOf(nasty))
    const typescript = codeFor('typescript', nasty, 'http://x', null)
    const literal = /JSON\.stringify\(([\s\S]*?)\),\n}\)/.exec(typescript)![1]!
    expect(new Function(`return (${literal})`)()).toEqual(bodyOf(nasty))
  })

  it('never holds values of the environment, and names the key by its prefix alone', () => {
    for (const client of ['curl', 'typescript', 'python'] as const) {
      const code = codeFor(client, nasty, 'http://x', 'sk_live_ab12')
      expect(code).not.toContain('secret')
      expect(code).toContain('sk_live_ab12')
    }
  })
})

describe('examples', () => {
  it('are eight, for both languages, and parse', () => {
    expect(EXAMPLES.length).toBe(8)
    expect(new Set(EXAMPLES.map((example) => example.sandbox().lang)).size).toBe(2)
    for (const { id, sandbox } of EXAMPLES) {
      const { entry, files } = sandbox()
      const content = files.find((file) => file.path === entry)!.content
      const path = join(mkdtempSync(join(tmpdir(), 'example-')), entry)
      writeFileSync(path, content)
      if (entry.endsWith('.py')) execFileSync('python3', ['-c', 'import ast, sys; ast.parse(open(sys.argv[1]).read())', path])
      else execFileSync('node', ['--check', path])
      expect(content, id).not.toBe('')
    }
  })
})

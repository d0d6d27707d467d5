import { execFileSync } from 'node:child_process'
import { describe, expect, it } from 'vitest'
import { shellQuote } from '@/lib/shell'
import { recipes, TASKS } from './recipes'

const own = { endpoint: 'http://127.0.0.1:8787', key: 'sk_live_abc…' }

describe('recipes', () => {
  it.each(recipes(own).recipes.map((recipe, at) => [recipe.title, recipe, TASKS[at]!.body] as const))('%s: what the shell passes on is the request', (_, recipe, body) => {
    const script = recipe.curl.replace(/^curl /, 'printf "%s\\0" ')
    const words = execFileSync('/bin/sh', ['-c', script], { env: { DOCLE_API_KEY: 'k' } }).toString().split('\0')
    expect(JSON.parse(words[words.indexOf('-d') + 1]!)).toEqual(body)
    expect(words).toContain('Authorization: Bearer k')
  })
  it.each(recipes(own).recipes.map((recipe, at) => [recipe.title, recipe, TASKS[at]!.body] as const))('%s: Python reads the same request', (_, recipe, body) => {
    const fake = 'import sys, types, json\nm = types.ModuleType("requests")\nclass R:\n    def json(self): return {"outcome": "", "stdout": ""}\ndef post(url, headers, json): sys.stderr.write(__import__("json").dumps(json)); return R()\nm.post = post\nsys.modules["requests"] = m\n'
    const said = execFileSync('/bin/sh', ['-c', 'python3 - 2>&1 >/dev/null'], { input: fake + recipe.python, env: { ...process.env, DOCLE_API_KEY: 'k' } }).toString()
    expect(JSON.parse(said)).toEqual(body)
  })
  it('quotes what a shell would read', () => {
    const text = `it's $HOME \`x\` "q" \\ !`
    expect(execFileSync('/bin/sh', ['-c', `printf %s ${shellQuote(text)}`]).toString()).toBe(text)
  })
})

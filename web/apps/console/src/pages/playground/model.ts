/** What a run in the playground is made of, and the request that it becomes. */
import type { Schemas } from '@/api/client'

export type Lang = Schemas['Lang']
export type Policy = Partial<Schemas['Policy']>
export type InputFile = Pick<Schemas['InputFile'], 'path' | 'content'> & Partial<Schemas['InputFile']>
/** What has a default may be left out. */
export type RunRequest = Omit<Partial<Schemas['RunRequest']>, 'files' | 'policy'> & { files?: InputFile[]; policy?: Policy }

export interface SourceFile {
  path: string
  content: string
  encoding: 'utf8' | 'base64'
}

export interface EnvLine {
  name: string
  value: string
}

/** Numbers are null where the server's default holds. */
export interface PolicyWish {
  timeoutMs: number | null
  memoryMB: number | null
  diskMB: number | null
  maxProcesses: number | null
  cpus: number | null
  network: boolean
  hosts: string[]
}

export interface Sandbox {
  lang: Lang
  files: SourceFile[]
  entry: string
  stdin: string
  args: string[]
  env: EnvLine[]
  packages: string[]
  policy: PolicyWish
  /** The share that it came from. */
  forkedFrom: string | null
}

export const FILES_MAX = 100
export const PATH_MAX = 200

export function emptyPolicy(): PolicyWish {
  return { timeoutMs: null, memoryMB: null, diskMB: null, maxProcesses: null, cpus: null, network: false, hosts: [] }
}

export function makeSandbox(lang: Lang, code: string, more: Partial<Sandbox> = {}): Sandbox {
  const path = lang === 'python' ? 'main.py' : 'main.js'
  return {
    lang,
    files: [{ path, content: code, encoding: 'utf8' }],
    entry: path,
    stdin: '',
    args: [],
    env: [],
    packages: [],
    policy: emptyPolicy(),
    forkedFrom: null,
    ...more,
  }
}

export function firstSandbox(lang: Lang = 'python'): Sandbox {
  return makeSandbox(lang, lang === 'python' ? 'print("Hello, Docle")\n' : 'console.log("Hello, Docle")\n')
}

const ENDINGS: Record<Lang, RegExp> = { python: /\.py$/, node: /\.(js|mjs|cjs|ts|mts|cts)$/ }

/** Can a run begin with it? */
export function canBeEntry(path: string, lang: Lang): boolean {
  return ENDINGS[lang].test(path)
}

/** Why a file cannot have this path; null: it can. `but`: the path it has now. */
export function pathProblem(path: string, files: readonly SourceFile[], but = ''): string | null {
  if (!path) return 'Enter a name, such as lib/util.py.'
  if (path.length > PATH_MAX) return `Keep it under ${PATH_MAX} characters.`
  if (/[\x00-\x1f\x7f\\]/.test(path)) return 'No backslashes or control characters, please.'
  if (path.startsWith('/') || path.endsWith('/')) return 'Begin and end with a name, not with a slash.'
  if (path.split('/').some((part) => part === '' || part === '.' || part === '..')) return 'Each part needs a name; . and .. are none.'
  const others = files.filter((file) => file.path !== but).map((file) => file.path)
  if (others.includes(path)) return 'There is a file of that name.'
  if (others.some((other) => other.startsWith(`${path}/`) || path.startsWith(`${other}/`))) return 'A file and a folder cannot share a name.'
  return null
}

/** A name that is free, from one that is wished. */
export function freePath(wish: string, files: readonly SourceFile[]): string {
  const dot = wish.lastIndexOf('.')
  const [stem, ending] = dot > 0 ? [wish.slice(0, dot), wish.slice(dot)] : [wish, '']
  for (let number = 1; ; number++) {
    const path = number === 1 ? wish : `${stem}-${number}${ending}`
    if (!pathProblem(path, files)) return path
    if (number > 1000) return `file-${Date.now()}${ending}`
  }
}

/** The policy's fields that were set. */
export function policyOf(wish: PolicyWish): Policy {
  const { network, hosts, ...numbers } = wish // hosts as typed, a line each
  const set = Object.fromEntries(Object.entries(numbers).filter(([, value]) => value !== null)) as Policy
  if (network) {
    set.allowNet = true
    const named = hosts.map((host) => host.trim()).filter(Boolean)
    if (named.length) set.allowedHosts = named
  }
  return set
}

export function envOf(lines: readonly EnvLine[]): Record<string, string> {
  return Object.fromEntries(lines.filter((line) => line.name.trim()).map((line) => [line.name.trim(), line.value]))
}

/** The body of POST /api/run. Everything the run leaves comes back. */
export function requestOf(sandbox: Sandbox): RunRequest {
  const body: RunRequest = {
    lang: sandbox.lang,
    files: sandbox.files.map(({ path, content, encoding }) => (encoding === 'utf8' ? { path, content } : { path, content, encoding })),
    entrypoint: sandbox.entry,
    artifacts: ['**'],
  }
  const policy = policyOf(sandbox.policy)
  const env = envOf(sandbox.env)
  if (sandbox.stdin) body.stdin = sandbox.stdin
  if (sandbox.args.length) body.args = sandbox.args
  if (Object.keys(env).length) body.env = env
  if (sandbox.packages.length) body.packages = sandbox.packages
  if (Object.keys(policy).length) body.policy = policy
  return body
}

/** The same files in the other language's first file, where nothing else would be lost. */
export function switchLang(sandbox: Sandbox, lang: Lang): Sandbox {
  const untouched = sandbox.files.length === 1 && sandbox.files[0]!.content === firstSandbox(sandbox.lang).files[0]!.content
  if (untouched) return { ...firstSandbox(lang), stdin: sandbox.stdin, args: sandbox.args, env: sandbox.env, policy: sandbox.policy }
  const entry = sandbox.files.find((file) => canBeEntry(file.path, lang))
  if (entry) return { ...sandbox, lang, entry: entry.path, packages: [] }
  const fresh = firstSandbox(lang).files[0]!
  return { ...sandbox, lang, packages: [], files: [...sandbox.files, fresh], entry: fresh.path }
}

/**
 * What was typed, kept in this tab over reloads, crashes and ended sessions. A closed tab leaves its
 * last state to the next one that is opened.
 */
import { readSetting, writeSetting } from '@/lib/storage'
import { canBeEntry, emptyPolicy, FILES_MAX, firstSandbox, type EnvLine, type PolicyWish, type Sandbox, type SourceFile } from './model'

export const VERSION = 2
const KEY = 'docle.playground.draft'
const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value)
const strings = (value: unknown): string[] => (Array.isArray(value) ? value.filter((one): one is string => typeof one === 'string') : [])
const text = (value: unknown): string => (typeof value === 'string' ? value : '')
const positive = (value: unknown): number | null => (typeof value === 'number' && value > 0 && Number.isFinite(value) ? value : null)

function readFiles(value: unknown): SourceFile[] {
  const seen = new Set<string>()
  return (Array.isArray(value) ? value : [])
    .filter((file) => isObject(file) && typeof file.path === 'string' && typeof file.content === 'string')
    .map((file): SourceFile => ({ path: file.path, content: file.content, encoding: file.encoding === 'base64' ? 'base64' : 'utf8' }))
    .filter((file) => file.path && !seen.has(file.path) && seen.add(file.path))
    .slice(0, FILES_MAX)
}

function readPolicy(value: unknown): PolicyWish {
  if (!isObject(value)) return emptyPolicy()
  return {
    timeoutMs: positive(value.timeoutMs),
    memoryMB: positive(value.memoryMB),
    diskMB: positive(value.diskMB),
    maxProcesses: positive(value.maxProcesses),
    cpus: positive(value.cpus),
    network: value.network === true || value.allowNet === true,
    hosts: strings(value.hosts ?? value.allowedHosts),
  }
}

function readEnv(value: unknown): EnvLine[] {
  if (Array.isArray(value)) return value.filter(isObject).map((line) => ({ name: text(line.name), value: text(line.value) }))
  return isObject(value) ? Object.entries(value).map(([name, one]) => ({ name, value: text(one) })) : []
}

/** From whatever older versions, other tabs or servers left: never throws, null when nothing is usable. */
export function readSandbox(value: unknown): Sandbox | null {
  if (!isObject(value)) return null
  const lang = value.lang === 'node' ? 'node' : 'python'
  let files = readFiles(value.files)
  // Version 1 had one program.
  if (!files.length && typeof value.code === 'string') files = firstSandbox(lang).files.map((file) => ({ ...file, content: value.code as string }))
  if (!files.length) return null
  const wish = text(value.entry ?? value.entrypoint)
  const entry = files.find((file) => file.path === wish) ?? files.find((file) => canBeEntry(file.path, lang)) ?? files[0]!
  return {
    lang,
    files,
    entry: entry.path,
    stdin: text(value.stdin),
    args: strings(value.args),
    env: readEnv(value.env),
    packages: strings(isObject(value.packages) ? value.packages.packages : value.packages),
    policy: readPolicy(value.policy),
    forkedFrom: typeof value.forkedFrom === 'string' ? value.forkedFrom : null,
  }
}

/** The draft as text holds; null when it is of no use. */
export function parseDraft(stored: string | null): Sandbox | null {
  if (!stored) return null
  try {
    const value = JSON.parse(stored) as unknown
    if (!isObject(value) || (typeof value.version === 'number' && value.version > VERSION)) return null
    return readSandbox(value.sandbox ?? value)
  } catch {
    return null
  }
}

export function printDraft(sandbox: Sandbox): string {
  return JSON.stringify({ version: VERSION, sandbox })
}

function session(): Storage | null {
  try {
    return sessionStorage
  } catch {
    return null
  }
}

export function loadDraft(): Sandbox | null {
  return parseDraft(session()?.getItem(KEY) ?? null) ?? parseDraft(readSetting(KEY))
}

/** False when the browser has no room for it. Values of the environment stay in this tab. */
export function saveDraft(sandbox: Sandbox): boolean {
  let kept = false
  try {
    session()?.setItem(KEY, printDraft(sandbox))
    kept = session() !== null
  } catch {
    // No room: the other storage may have some.
  }
  const shared = { ...sandbox, env: sandbox.env.map((line) => ({ ...line, value: '' })) }
  return writeSetting(KEY, printDraft(shared)) || kept
}

const OPEN_KEY = 'docle.playground.open'

/** A program that another page handed over, such as that of an earlier run; once. */
export function takeHandedOver(): Sandbox | null {
  let stored = readSetting(OPEN_KEY)
  writeSetting(OPEN_KEY, null)
  try {
    stored = session()?.getItem(OPEN_KEY) ?? stored
    session()?.removeItem(OPEN_KEY)
  } catch {
    // Then the other storage had it, or nobody.
  }
  return parseDraft(stored)
}

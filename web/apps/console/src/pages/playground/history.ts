/** The last runs of this browser: what was run and what came of it. Bounded in number and bytes. */
import { readJson, writeJson } from '@/lib/storage'
import { readSandbox } from './draft'
import type { Sandbox } from './model'
import type { RunResult } from './runner'

export const RUNS_MAX = 50
/** Of the whole list as text; browsers give a page about five million characters. */
export const CHARS_MAX = 1_500_000
/** A larger program leaves only its summary. */
export const ONE_MAX = 200_000
const KEY = 'docle.playground.history'

export interface PastRun {
  id: string
  at: string
  lang: Sandbox['lang']
  outcome: RunResult['outcome']
  exitCode: number
  durationMs: number
  /** The first line that says something. */
  title: string
  /** Null when it was too large to keep. Never with values of the environment. */
  sandbox: Sandbox | null
}

export function titleOf(sandbox: Sandbox): string {
  const entry = sandbox.files.find((file) => file.path === sandbox.entry) ?? sandbox.files[0]
  const lines = (entry?.content ?? '').split('\n').map((line) => line.trim())
  const line = lines.find((one) => one && !/^(import|from|const .* = require|#!|\/\/|#|"""|'use strict')/.test(one)) ?? lines.find(Boolean) ?? 'empty'
  return line.slice(0, 80)
}

export function pastRunOf(sandbox: Sandbox, result: RunResult): PastRun {
  const kept: Sandbox = { ...sandbox, env: sandbox.env.map((line) => ({ ...line, value: '' })) }
  return {
    id: result.id,
    at: result.createdAt,
    lang: result.lang,
    outcome: result.outcome,
    exitCode: result.exitCode,
    durationMs: result.usage.durationMs,
    title: titleOf(sandbox),
    sandbox: JSON.stringify(kept).length <= ONE_MAX ? kept : null,
  }
}

/** Newest first; what no longer fits goes at the end. */
export function withRun(list: readonly PastRun[], run: PastRun, charsMax = CHARS_MAX): PastRun[] {
  const next: PastRun[] = []
  let chars = 0
  for (const one of [run, ...list.filter((other) => other.id !== run.id)]) {
    chars += JSON.stringify(one).length
    if (next.length === RUNS_MAX || chars > charsMax) break
    next.push(one)
  }
  return next
}

export function loadHistory(): PastRun[] {
  const stored = readJson<unknown>(KEY, [])
  if (!Array.isArray(stored)) return []
  return stored
    .filter((one) => one && typeof one.id === 'string' && typeof one.at === 'string' && typeof one.title === 'string' && typeof one.outcome === 'string')
    .map((one) => ({ ...one, durationMs: Number(one.durationMs) || 0, lang: one.lang === 'node' ? 'node' : 'python', sandbox: readSandbox(one.sandbox) }) as PastRun)
    .slice(0, RUNS_MAX)
}

/** What could be kept: less, when the browser has less room. */
export function saveHistory(list: PastRun[]): PastRun[] {
  for (let kept = list; ; kept = kept.slice(0, Math.floor(kept.length / 2))) {
    if (writeJson(KEY, kept) || !kept.length) return kept
  }
}

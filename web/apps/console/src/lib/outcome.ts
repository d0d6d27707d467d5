/** Words and tones for how a run ended. */

export type Tone = 'plain' | 'good' | 'warn' | 'bad' | 'accent'

const WORDS: Record<string, { label: string; tone: Tone }> = {
  ok: { label: 'OK', tone: 'good' },
  error: { label: 'Error', tone: 'bad' },
  signal: { label: 'Crashed', tone: 'bad' },
  timeout: { label: 'Timed out', tone: 'warn' },
  memory_limit: { label: 'Out of memory', tone: 'warn' },
  process_limit: { label: 'Too many processes', tone: 'warn' },
  install_failed: { label: 'Install failed', tone: 'bad' },
  cancelled: { label: 'Cancelled', tone: 'plain' },
  sandbox_error: { label: 'Our fault', tone: 'bad' },
  queued: { label: 'Queued', tone: 'plain' },
  running: { label: 'Running', tone: 'accent' },
}

/** Of an outcome, or of a status while there is none. */
export function outcomeWord(outcome: string | undefined, status = 'done'): { label: string; tone: Tone } {
  return WORDS[outcome ?? status] ?? { label: outcome ?? status, tone: 'plain' }
}

export const LANGS: Record<string, string> = { python: 'Python', node: 'Node.js' }

/** How a run went, in words. */
import type { Schemas } from '@/api/client'
import { formatDuration } from '@/lib/format'
import type { Phase, RunResult } from './runner'

export type Tone = 'plain' | 'good' | 'warn' | 'bad' | 'accent'

export function outcomeText(result: RunResult): { text: string; tone: Tone } {
  switch (result.outcome) {
    case 'ok':
      return { text: 'Finished', tone: 'good' }
    case 'error':
      return { text: 'Failed', tone: 'bad' }
    case 'signal':
      return { text: `Ended by ${result.signal ?? 'a signal'}`, tone: 'bad' }
    case 'timeout':
      return { text: result.limits.includes('cpu') ? 'Stopped at its CPU limit' : 'Stopped at its time limit', tone: 'warn' }
    case 'memory_limit':
      return { text: 'Stopped at its memory limit', tone: 'warn' }
    case 'process_limit':
      return { text: 'Hit its process limit', tone: 'warn' }
    case 'install_failed':
      return { text: 'Packages could not be installed', tone: 'bad' }
    case 'cancelled':
      return { text: 'Stopped', tone: 'plain' }
    case 'sandbox_error':
      return { text: 'The sandbox failed; not billed', tone: 'bad' }
  }
}

export function phaseText(phase: Phase, stopping: boolean, lost: boolean): string {
  if (stopping) return 'Stopping'
  if (lost) return 'Reconnecting to the run'
  if (phase === 'waiting') return 'Waiting for a sandbox'
  if (phase === 'installing') return 'Installing packages'
  if (phase === 'running') return 'Running'
  return ''
}

export interface Fact {
  label: string
  value: string
  title?: string
}

export function factsOf(result: RunResult): Fact[] {
  const { durationMs, cpuMs, memMB } = result.usage
  return [
    { label: 'exit code', value: String(result.exitCode) },
    { label: 'time', value: formatDuration(durationMs), title: 'From the start of the program to its end' },
    { label: 'CPU', value: formatDuration(cpuMs), title: 'CPU time of all processes' },
    { label: 'memory', value: `${memMB} MB`, title: 'Most that was in use at once' },
  ]
}

const LIMITS: Record<Schemas['Limits'][number], string> = {
  output: 'Output was cut at its limit.',
  disk: 'The disk was full.',
  processes: 'No further process was allowed.',
  cpu: 'The CPU limit was met.',
  memory: 'The memory limit was met.',
  wall: 'The time limit was met.',
}

/** What else the reader should know. */
export function notesOf(result: RunResult): string[] {
  const notes = result.message ? [result.message[0]!.toUpperCase() + result.message.slice(1)] : []
  for (const limit of result.limits) {
    if (result.message && ['wall', 'memory', 'cpu'].includes(limit)) continue
    notes.push(LIMITS[limit])
  }
  for (const warning of result.warnings ?? []) notes.push(warning)
  return notes
}

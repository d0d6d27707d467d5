/** One run: its inputs as a request again, its course, its limits in words. */
import { shellQuote } from './shell'

export interface StoredRequest {
  lang?: string
  repo?: string
  version?: string
  entrypoint?: string
  code?: string
  files?: StoredFile[]
  args?: string[]
  env?: Record<string, string>
  stdin?: string
  artifacts?: string[]
  packages?: string[]
  policy?: Record<string, unknown>
  userContext?: Record<string, unknown>
}

export interface StoredFile {
  path: string
  content: string
  encoding?: string
}

export interface StoredRun {
  id: string
  request?: StoredRequest
  policy?: Record<string, unknown>
}

/** The program's files, whichever way it was sent. */
export function filesOf(request: StoredRequest): StoredFile[] {
  if (request.files?.length) return request.files
  if (request.code === undefined) return []
  return [{ path: request.entrypoint ?? (request.lang === 'node' ? 'main.js' : 'main.py'), content: request.code }]
}

export const envNames = (request: StoredRequest) => Object.keys(request.env ?? {})

function policyOf(run: StoredRun): Record<string, unknown> {
  const policy: Record<string, unknown> = { ...run.policy, ...run.request?.policy }
  delete policy.clamped
  return policy
}

/** The body that asks for the same again. Values of the environment were not kept, so it has none. */
export function bodyOf(run: StoredRun): Record<string, unknown> {
  const request = run.request ?? {}
  const body: Record<string, unknown> = { ...request, policy: policyOf(run) }
  delete body.env
  if (request.repo) {
    delete body.files
    delete body.code
  } else if (request.code !== undefined) {
    delete body.entrypoint
  }
  return body
}

/** The command that asks for the same; values of the environment are to be filled in. */
export function curlOf(run: StoredRun, origin: string): string {
  const body = bodyOf(run)
  const names = envNames(run.request ?? {})
  if (names.length) body.env = Object.fromEntries(names.map((name) => [name, 'FILL IN']))
  return `curl ${shellQuote(`${origin}/api/run`)} \\
  -H "Authorization: Bearer $DOCLE_API_KEY" \\
  -H 'Content-Type: application/json' \\
  -d ${shellQuote(JSON.stringify(body, null, 2))}`
}

export const OPEN_KEY = 'docle.playground.open'

/** What the playground opens. */
export function handOver(run: StoredRun) {
  const request = run.request ?? {}
  const files = filesOf(request)
  return {
    lang: request.lang === 'node' ? 'node' : 'python',
    entry: request.entrypoint ?? files[0]?.path ?? '',
    files,
    stdin: request.stdin ?? '',
    args: request.args ?? [],
    packages: request.packages ?? [],
    policy: policyOf(run),
    runId: run.id,
  }
}

export interface Timeline {
  createdAt: string
  startedAt?: string
  finishedAt?: string
  installMs?: number
  queueMs?: number
  runMs?: number
}

export interface Stage {
  name: 'install' | 'queue' | 'run'
  label: string
  ms: number
  /** Of the whole, in percent; a stage that took any time can be seen. */
  share: number
}

export function stagesOf(timeline: Timeline): Stage[] {
  const all = [
    { name: 'install' as const, label: 'Installing packages', ms: timeline.installMs },
    { name: 'queue' as const, label: 'Waiting', ms: timeline.queueMs },
    { name: 'run' as const, label: 'Running', ms: timeline.runMs },
  ].flatMap((stage) => (stage.ms === undefined ? [] : [{ ...stage, ms: stage.ms }]))
  const shown = all.map((stage) => ({ ...stage, weight: Math.max(stage.ms, 0) }))
  const total = shown.reduce((sum, stage) => sum + stage.weight, 0) || 1
  const least = total * 0.015
  const sum = shown.reduce((added, stage) => added + Math.max(stage.weight, least), 0)
  return shown.map(({ weight, ...stage }) => ({ ...stage, share: (Math.max(weight, least) / sum) * 100 }))
}

const LIMITS: Record<string, string> = {
  output: 'It wrote more than is kept; the rest was dropped. Raise policy.maxOutputBytes, or write less.',
  disk: 'Its disk was full. Raise policy.diskMB, or write less.',
  processes: 'It could start no further process or thread. Raise policy.maxProcesses, or start fewer.',
  cpu: 'It was over its CPU time. Raise policy.cpuMs, or do less.',
  memory: 'It reached its memory. Raise policy.memoryMB, or use less.',
  wall: 'It was over its time. Raise policy.timeoutMs, or do less.',
}

export const limitText = (name: string) => LIMITS[name] ?? 'It met this limit.'

const POLICY_WORDS: [string, string, string][] = [
  ['timeoutMs', 'Time', 'ms'],
  ['cpuMs', 'CPU time', 'ms'],
  ['memoryMB', 'Memory', 'MB'],
  ['diskMB', 'Disk', 'MB'],
  ['maxProcesses', 'Processes and threads', ''],
  ['cpus', 'CPUs', ''],
  ['maxOutputBytes', 'Output', 'bytes'],
]

export function policyRows(policy: Record<string, unknown>) {
  const clamped = Array.isArray(policy.clamped) ? (policy.clamped as string[]) : []
  return POLICY_WORDS.flatMap(([field, label, unit]) => {
    const value = policy[field]
    return typeof value === 'number' ? [{ field, label, value, unit, lowered: clamped.includes(field) }] : []
  })
}

/** Short notices at the edge of the page. */
import { shallowRef } from 'vue'

export interface Toast {
  id: number
  tone: 'plain' | 'good' | 'bad'
  text: string
  detail?: string
  action?: { label: string; act: () => void }
}

const LASTS_MS = 6000

export const toasts = shallowRef<Toast[]>([])
let last = 0

export function dismiss(id: number) {
  toasts.value = toasts.value.filter((toast) => toast.id !== id)
}

export function notify(toast: Omit<Toast, 'id'>, lastsMs = LASTS_MS): number {
  const id = ++last
  toasts.value = [...toasts.value.slice(-3), { ...toast, id }]
  if (lastsMs) setTimeout(() => dismiss(id), lastsMs)
  return id
}

export function notifyError(error: unknown, what: string) {
  const detail = error instanceof Error ? error.message : String(error)
  const requestId = (error as { requestId?: string | null }).requestId
  notify({ tone: 'bad', text: what, detail: requestId ? `${detail} (request ${requestId})` : detail }, 12_000)
}

/**
 * Does something that cannot be taken back, but only after `seconds` in which it can be undone.
 * `act` runs when they have passed, `undone` when it was taken back. Leaving the page acts at once.
 */
export function actUnlessUndone(text: string, act: () => void, undone: () => void, seconds = 5) {
  let settled = false
  const settle = (todo: () => void) => {
    if (settled) return
    settled = true
    clearTimeout(timer)
    window.removeEventListener('pagehide', leave)
    dismiss(id)
    todo()
  }
  const leave = () => settle(act)
  const timer = setTimeout(() => settle(act), seconds * 1000)
  window.addEventListener('pagehide', leave)
  const id = notify({ tone: 'plain', text, action: { label: 'Undo', act: () => settle(undone) } }, 0)
}

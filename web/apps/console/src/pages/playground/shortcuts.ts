import { onBeforeUnmount, onMounted } from 'vue'

export interface Shortcuts {
  run: () => void
  stop: () => void
  share: () => void
  help: () => void
  /** The nth file, from 1. */
  openFile: (number: number) => void
}

function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName))
}

/** Keys of the page, wherever the focus is; while a dialog is open it has them. */
export function useShortcuts(shortcuts: Shortcuts) {
  function onKey(event: KeyboardEvent) {
    if (event.isComposing || document.querySelector('[role=dialog]')) return
    const mod = event.ctrlKey || event.metaKey
    if (mod && !event.altKey && !event.shiftKey && event.key === 'Enter') shortcuts.run()
    else if (mod && !event.altKey && event.key === '.') shortcuts.stop()
    else if (mod && !event.altKey && !event.shiftKey && event.key.toLowerCase() === 's') shortcuts.share()
    else if (event.altKey && !mod && /^Digit[1-9]$/.test(event.code)) shortcuts.openFile(Number(event.code.slice(5)))
    else if (!mod && !event.altKey && event.key === '?' && !isTyping(event.target)) shortcuts.help()
    else return
    event.preventDefault()
  }
  onMounted(() => window.addEventListener('keydown', onKey))
  onBeforeUnmount(() => window.removeEventListener('keydown', onKey))
}

/** The command palette's state and what pages add to it. */
import { onScopeDispose, ref, shallowRef, type Component } from 'vue'

export interface Command {
  label: string
  /** What kind of thing it is, in small type. */
  group: string
  icon?: Component
  words?: string
  act: () => void
}

const isApple = /Mac|iPhone|iPad/.test(navigator.platform)
export const MOD_KEY = isApple ? '⌘' : 'Ctrl'
export const PALETTE_KEYS = isApple ? '⌘K' : 'Ctrl K'

export const paletteOpen = ref(false)
export const pageCommands = shallowRef<Command[]>([])

export function openPalette() {
  paletteOpen.value = true
}

/** Commands of the page that calls this, for as long as it is shown. */
export function useCommands(commands: Command[]) {
  pageCommands.value = [...pageCommands.value, ...commands]
  onScopeDispose(() => {
    pageCommands.value = pageCommands.value.filter((command) => !commands.includes(command))
  })
}

/** Those whose words all begin somewhere in the label or the further words, best first. */
export function findCommands(commands: Command[], query: string): Command[] {
  const wanted = query.toLowerCase().split(/\s+/).filter(Boolean)
  const rank = (command: Command) => {
    const label = command.label.toLowerCase()
    const text = `${label} ${command.group.toLowerCase()} ${command.words ?? ''}`
    if (!wanted.every((word) => text.includes(word))) return null
    if (!wanted[0]) return 1
    return label.startsWith(wanted[0]) ? 0 : label.includes(wanted[0]) ? 1 : 2
  }
  return commands
    .map((command, at) => ({ command, at, rank: rank(command) }))
    .filter((entry) => entry.rank !== null)
    .sort((a, b) => a.rank! - b.rank! || a.at - b.at)
    .map((entry) => entry.command)
}

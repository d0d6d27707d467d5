/** The places of the application: the sidebar and the command palette are made from this list. */
import { ChartColumn, CirclePlay, CreditCard, FolderKanban, KeyRound, LayoutDashboard, ListTree, Settings, SquareTerminal } from '@lucide/vue'
import type { Component } from 'vue'
import { billingIsOn } from './server'
import { me } from './session'

export interface Place {
  label: string
  path: string
  icon: Component
  /** Seen without signing in. */
  open?: boolean
  /** Further words that find it in the palette. */
  words?: string
  when?: () => boolean
}

const all: Place[] = [
  { label: 'Dashboard', path: '/dashboard', icon: LayoutDashboard, words: 'home overview' },
  { label: 'Playground', path: '/playground', icon: SquareTerminal, open: true, words: 'editor code try' },
  { label: 'Runs', path: '/runs', icon: ListTree, words: 'history log' },
  { label: 'API keys', path: '/keys', icon: KeyRound, words: 'tokens secret' },
  { label: 'Usage', path: '/usage', icon: ChartColumn, words: 'cost csv month' },
  { label: 'Billing', path: '/dashboard/billing', icon: CreditCard, words: 'plan invoices upgrade', when: () => billingIsOn.value },
  { label: 'Projects', path: '/projects', icon: FolderKanban, words: 'switch create members' },
  { label: 'Settings', path: '/settings', icon: Settings, words: 'members sessions audit account delete' },
  { label: 'Quick start', path: '/docs', icon: CirclePlay, open: true, words: 'docs curl typescript python' },
]

/** Those that this visitor can go to. */
export function places(): Place[] {
  return all.filter((place) => (me.value || place.open) && (place.when?.() ?? true))
}

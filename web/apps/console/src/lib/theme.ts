import { computed, ref, watchEffect } from 'vue'
import { readSetting, writeSetting } from './storage'

export type Theme = 'system' | 'light' | 'dark'

const KEY = 'docle.theme'
const prefersDark = window.matchMedia('(prefers-color-scheme: dark)')
const systemIsDark = ref(prefersDark.matches)

function stored(): Theme {
  const value = readSetting(KEY)
  return value === 'light' || value === 'dark' ? value : 'system'
}

export const theme = ref<Theme>(stored())

export const isDark = computed(() =>
  theme.value === 'system' ? systemIsDark.value : theme.value === 'dark',
)

export function setTheme(next: Theme) {
  theme.value = next
  writeSetting(KEY, next)
}

export function startTheme() {
  prefersDark.addEventListener('change', (event) => {
    systemIsDark.value = event.matches
  })
  watchEffect(() => {
    document.documentElement.dataset.theme = isDark.value ? 'dark' : 'light'
  })
}

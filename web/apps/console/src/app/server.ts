/** What kind of server this is: asked once, before anybody has signed in. */
import { computed, shallowRef } from 'vue'
import { call, type Schemas } from '@/api/client'

export type ServerInfo = Schemas['ServerInfo']

export const serverInfo = shallowRef<ServerInfo | null>(null)
export const billingIsOn = computed(() => (serverInfo.value?.billing ?? 'off') !== 'off')

let loading: Promise<void> | null = null

export function loadServerInfo(): Promise<void> {
  loading ??= call<ServerInfo>('/api/server').then(
    (info) => {
      serverInfo.value = info
    },
    () => {
      loading = null
    },
  )
  return loading
}

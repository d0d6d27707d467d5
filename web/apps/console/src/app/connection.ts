import { ref } from 'vue'

/** The server did not answer when it was asked last. */
export const serverUnreachable = ref(false)
export const offline = ref(!navigator.onLine)

window.addEventListener('online', () => {
  offline.value = false
})
window.addEventListener('offline', () => {
  offline.value = true
})

/** Who is signed in. One for the whole application. */
import { computed, shallowRef } from 'vue'
import { ApiError, call, send, setSignedOutHandler, type Schemas } from '@/api/client'

export type Me = Schemas['Me']
export type Role = Schemas['Role']

export const me = shallowRef<Me | null>(null)
/** The session ended while somebody was at work: they are asked to sign in again, where they are. */
export const expired = shallowRef(false)
export const project = computed(() => me.value?.project ?? null)

let loading: Promise<Me | null> | null = null

setSignedOutHandler(() => {
  if (me.value) expired.value = true
})

/** The server saw no session's cookie when it sent this page: asking would only say so again. */
let surelyNobody = document.querySelector<HTMLMetaElement>('meta[name="docle-session"]')?.content === 'none'

/** The project that was current is gone, or left: the next one is. */
async function settle() {
  const { projects } = await call<Schemas['ProjectList']>('/api/projects')
  if (!projects[0]) return
  await send(`/api/projects/${projects[0].id}/switch`, { method: 'POST' })
  me.value = await call<Me>('/auth/me')
}

async function load(): Promise<Me | null> {
  try {
    me.value = await call<Me>('/auth/me')
    if (!me.value.project) await settle()
    expired.value = false
  } catch (error) {
    if (!(error instanceof ApiError) || error.status !== 401) throw error
    me.value = null
  }
  return me.value
}

/** Asks the server once; again after `again`. Throws when it cannot be reached. */
export function whoIsIt(again = false): Promise<Me | null> {
  if (surelyNobody && !again) return Promise.resolve(null)
  surelyNobody = false
  if (again || !loading) {
    loading = load().catch((error) => {
      loading = null
      throw error
    })
  }
  return loading
}

export async function signOut() {
  await send('/auth/logout', { method: 'POST' }).catch((error) => {
    if (!(error instanceof ApiError) || error.status !== 401) throw error
  })
  forgetMe()
}

/** Nobody is signed in any more; the server need not be asked. */
export function forgetMe() {
  me.value = null
  loading = null
  surelyNobody = true
}

export async function switchProject(id: string) {
  await send(`/api/projects/${id}/switch`, { method: 'POST' })
  await whoIsIt(true)
}

const RANK: Record<Role, number> = { viewer: 0, developer: 1, admin: 2, owner: 3 }

/** May the person do what needs this role in the current project? The server decides; this only
 * keeps buttons from view that would be refused. */
export function isAtLeast(role: Role): boolean {
  return project.value !== null && RANK[project.value.role] >= RANK[role]
}

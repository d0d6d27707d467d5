import { createRouter, createWebHistory, type RouteRecordRaw } from 'vue-router'
import { ApiError } from '@/api/client'
import { whoIsIt } from './session'
import { serverUnreachable } from './connection'

declare module 'vue-router' {
  interface RouteMeta {
    title: string
    /** Anybody may see it. */
    open?: boolean
    /** Without the frame of navigation. */
    bare?: boolean
    /** The page fills the window beside the navigation and scrolls by itself. */
    full?: boolean
  }
}

// First parts of paths stand in src/ui/ui.c too; a test compares.
export const routes: RouteRecordRaw[] = [
  { path: '/', redirect: '/dashboard' },
  { path: '/login', component: () => import('@/pages/login/LoginPage.vue'), meta: { title: 'Sign in', open: true, bare: true } },
  { path: '/dashboard', component: () => import('@/pages/dashboard/DashboardPage.vue'), meta: { title: 'Dashboard' } },
  { path: '/dashboard/billing', component: () => import('@/pages/billing/BillingPage.vue'), meta: { title: 'Billing' } },
  { path: '/playground', component: () => import('@/pages/playground/PlaygroundPage.vue'), name: 'playground', meta: { title: 'Playground', open: true, full: true } },
  { path: '/s/:id', component: () => import('@/pages/playground/PlaygroundPage.vue'), name: 'share', meta: { title: 'Shared program', open: true, full: true } },
  { path: '/runs', component: () => import('@/pages/runs/RunsPage.vue'), meta: { title: 'Runs' } },
  { path: '/runs/:id', component: () => import('@/pages/runs/RunPage.vue'), meta: { title: 'Run' } },
  { path: '/keys', component: () => import('@/pages/keys/KeysPage.vue'), meta: { title: 'API keys' } },
  { path: '/usage', component: () => import('@/pages/usage/UsagePage.vue'), meta: { title: 'Usage' } },
  { path: '/settings/:section?', component: () => import('@/pages/settings/SettingsPage.vue'), meta: { title: 'Settings' } },
  { path: '/projects', component: () => import('@/pages/projects/ProjectsPage.vue'), meta: { title: 'Projects' } },
  { path: '/invitations', component: () => import('@/pages/projects/InvitationsPage.vue'), meta: { title: 'Invitations' } },
  { path: '/docs', alias: '/snippets', component: () => import('@/pages/docs/DocsPage.vue'), meta: { title: 'Quick start', open: true } },
  { path: '/:rest(.*)*', component: () => import('@/pages/NotFoundPage.vue'), meta: { title: 'Not found', open: true } },
]

export const router = createRouter({
  history: createWebHistory(),
  routes,
  scrollBehavior(to, from, saved) {
    if (saved) return saved
    return to.path === from.path ? undefined : { top: 0 }
  },
})

/** The first page's code comes while the server is asked who is there, not after. */
export function fetchFirstPage() {
  const component = router.resolve(location.pathname).matched.at(-1)?.components?.default
  if (typeof component === 'function') void (component as () => Promise<unknown>)().catch(() => null) // asked for again when it is shown
}

router.beforeEach(async (to) => {
  try {
    const me = await whoIsIt()
    serverUnreachable.value = false
    if (!me && !to.meta.open) return { path: '/login', query: { next: to.fullPath } }
    if (me && to.path === '/login') return safeNext(to.query.next)
  } catch (error) {
    if (!(error instanceof ApiError)) throw error
    serverUnreachable.value = true // pages show what went wrong and try again
  }
  return true
})

router.afterEach((to, from) => {
  document.title = `${to.meta.title} · Docle`
  if (from.matched.length && to.path !== from.path) {
    requestAnimationFrame(() => document.querySelector<HTMLElement>('h1')?.focus())
  }
})

/** Where to go after signing in: a path of this application, never another site. */
export function safeNext(next: unknown): string {
  if (typeof next !== 'string' || !/^\/[^/\\]/.test(next) || next.startsWith('/login')) return '/dashboard'
  return next
}

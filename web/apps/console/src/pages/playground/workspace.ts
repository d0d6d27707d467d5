/** The files and settings that are being worked on: one for the page, kept as a draft. */
import { computed, onScopeDispose, reactive, ref, watch, type ComputedRef, type Ref } from 'vue'
import { notify } from '@/ui/toast'
import { loadDraft, saveDraft } from './draft'
import { canBeEntry, FILES_MAX, firstSandbox, freePath, pathProblem, switchLang, type Lang, type Sandbox, type SourceFile } from './model'

export interface Workspace {
  sandbox: Sandbox
  /** Nothing had been typed in this browser before. */
  fresh: Ref<boolean>
  /** Another number: other files took the place of those that were shown. */
  epoch: Ref<number>
  active: Ref<string>
  file: ComputedRef<SourceFile>
  open: (path: string) => void
  write: (path: string, content: string) => void
  add: (file: SourceFile) => string | null
  rename: (path: string, next: string) => string | null
  remove: (path: string) => void
  /** Without a word. */
  drop: (path: string) => void
  setEntry: (path: string) => void
  setLang: (lang: Lang) => void
  /** Puts something else in place of it all; can be undone. */
  replace: (next: Sandbox, what: string) => void
  save: () => void
}

const SAVE_AFTER_MS = 400

export function copyOf(sandbox: Sandbox): Sandbox {
  return JSON.parse(JSON.stringify(sandbox)) as Sandbox
}

/** `onRename` hears of files that got another name, or with null that went. */
export function useWorkspace(onRename: (path: string, next: string | null) => void): Workspace {
  const draft = loadDraft()
  const sandbox = reactive<Sandbox>(draft ?? firstSandbox())
  const fresh = ref(!draft)
  const epoch = ref(0)
  const active = ref(sandbox.entry)
  const file = computed(() => sandbox.files.find((one) => one.path === active.value) ?? sandbox.files[0]!)
  let timer: ReturnType<typeof setTimeout> | undefined
  let warned = false

  function save() {
    clearTimeout(timer)
    timer = undefined
    if (saveDraft(sandbox) || warned) return
    warned = true
    notify({ tone: 'bad', text: 'The draft is too large to be kept', detail: 'Download it as .zip before you close this tab.' }, 12_000)
  }
  watch(
    sandbox,
    () => {
      fresh.value = false
      timer ??= setTimeout(save, SAVE_AFTER_MS)
    },
    { deep: true },
  )
  const saveNow = () => {
    if (timer) save()
  }
  window.addEventListener('pagehide', saveNow)
  document.addEventListener('visibilitychange', saveNow)
  onScopeDispose(() => {
    saveNow()
    window.removeEventListener('pagehide', saveNow)
    document.removeEventListener('visibilitychange', saveNow)
  })

  function open(path: string) {
    if (sandbox.files.some((one) => one.path === path)) active.value = path
  }

  function write(path: string, content: string) {
    const one = sandbox.files.find((candidate) => candidate.path === path)
    if (one && one.encoding === 'utf8') one.content = content
  }

  function add(added: SourceFile): string | null {
    if (sandbox.files.length >= FILES_MAX) {
      notify({ tone: 'bad', text: `No more than ${FILES_MAX} files`, detail: 'Remove some first.' })
      return null
    }
    const path = freePath(added.path, sandbox.files)
    sandbox.files.push({ ...added, path })
    active.value = path
    return path
  }

  function rename(path: string, next: string): string | null {
    const one = sandbox.files.find((candidate) => candidate.path === path)
    if (!one || path === next) return null
    const problem = pathProblem(next, sandbox.files, path)
    if (problem) return problem
    onRename(path, next)
    one.path = next
    if (sandbox.entry === path) sandbox.entry = next
    if (active.value === path) active.value = next
    return null
  }

  function drop(path: string) {
    const at = sandbox.files.findIndex((candidate) => candidate.path === path)
    if (at < 0 || sandbox.files.length === 1) return
    sandbox.files.splice(at, 1)
    if (active.value === path) active.value = (sandbox.files[at] ?? sandbox.files[at - 1])!.path
    if (sandbox.entry === path) sandbox.entry = (sandbox.files.find((one) => canBeEntry(one.path, sandbox.lang)) ?? sandbox.files[0]!).path
    onRename(path, null)
  }

  function remove(path: string) {
    const at = sandbox.files.findIndex((candidate) => candidate.path === path)
    const gone = sandbox.files[at]
    if (!gone || sandbox.files.length === 1) return
    const wasEntry = sandbox.entry === path
    drop(path)
    notify({
      tone: 'plain',
      text: `${path} was deleted`,
      action: {
        label: 'Undo',
        act: () => {
          sandbox.files.splice(Math.min(at, sandbox.files.length), 0, { ...gone, path: freePath(gone.path, sandbox.files) })
          if (wasEntry) sandbox.entry = gone.path
          active.value = gone.path
        },
      },
    })
  }

  function put(next: Sandbox) {
    Object.assign(sandbox, copyOf(next))
    active.value = sandbox.entry
    epoch.value++
  }

  function replace(next: Sandbox, what: string) {
    const before = copyOf(sandbox)
    const untouched = fresh.value
    put(next)
    if (untouched) return
    notify({ tone: 'good', text: what, action: { label: 'Undo', act: () => put(before) } }, 10_000)
  }

  function setLang(lang: Lang) {
    if (lang !== sandbox.lang) put(switchLang(sandbox, lang))
  }

  return {
    sandbox,
    fresh,
    epoch,
    active,
    file,
    open,
    write,
    add,
    rename,
    remove,
    drop,
    setEntry: (path) => {
      sandbox.entry = path
    },
    setLang,
    replace,
    save,
  }
}

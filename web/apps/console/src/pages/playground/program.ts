/** The page's state: files, run, history, and what a result means for them. */
import { computed, ref, shallowRef, watch } from 'vue'
import { serverInfo } from '@/app/server'
import { me } from '@/app/session'
import { download } from '@/lib/artifact'
import { notify, notifyError } from '@/ui/toast'
import { useCeilings } from './ceilings'
import { costOf } from './cost'
import { loadHistory, pastRunOf, saveHistory, withRun, type PastRun } from './history'
import { requestOf, type Sandbox, type SourceFile } from './model'
import { useRunner } from './runner'
import { findMark, type Mark } from './traceback'
import { readUploads, weightOf } from './upload'
import { copyOf, useWorkspace } from './workspace'
import { zipFiles } from './zip'

const PENDING = 'docle.playground.run'

/** The run that was under way when this tab was loaded anew. */
function rememberRun(id: string | null) {
  try {
    if (id) sessionStorage.setItem(PENDING, id)
    else sessionStorage.removeItem(PENDING)
  } catch {
    // Then it is found under Runs.
  }
}
function pendingRun(): string | null {
  try {
    return sessionStorage.getItem(PENDING)
  } catch {
    return null
  }
}

export function useProgram(onRename: (path: string, next: string | null) => void) {
  const workspace = useWorkspace(onRename)
  const runner = useRunner({ remember: rememberRun })
  const ceilings = useCeilings()
  const history = shallowRef<PastRun[]>(loadHistory())
  const mark = shallowRef<Mark | null>(null)
  /** What the run was given. */
  const given = shallowRef<SourceFile[]>(copyOf(workspace.sandbox).files)
  const timeoutMs = ref(3000)
  const cost = ref<string | null>(null)
  const { sandbox } = workspace

  const anonymous = computed(() => !me.value)
  const mayRun = computed(() => me.value !== null || (serverInfo.value?.anonymousRuns ?? false))
  const has = (path: string) => sandbox.files.some((file) => file.path === path)
  /** What the server refused, by field. */
  const errors = computed(() => Object.fromEntries((runner.error.value?.problems ?? []).map(({ path, message }) => [fieldOf(path), message])))

  watch(
    () => [me.value?.project?.id, serverInfo.value] as const,
    () => void ceilings.load(me.value !== null, (serverInfo.value as { anonymous?: { policy?: object } } | null)?.anonymous?.policy),
    { immediate: true },
  )

  async function run() {
    if (runner.busy.value) return
    workspace.save()
    const snapshot = copyOf(sandbox)
    given.value = snapshot.files
    mark.value = null
    cost.value = null
    workspace.fresh.value = false
    timeoutMs.value = snapshot.policy.timeoutMs ?? ceilings.ranges.value.timeoutMs.default
    await runner.start(requestOf(snapshot))
    took(snapshot)
  }

  function took(snapshot: Sandbox) {
    const result = runner.result.value
    if (!result) return
    void costOf(result).then((text) => {
      if (runner.result.value?.id === result.id) cost.value = text
    })
    if (result.outcome !== 'ok' && result.outcome !== 'cancelled') mark.value = findMark(result.stderr, has)
    history.value = saveHistory(withRun(history.value, pastRunOf(snapshot, result)))
  }

  async function stop() {
    try {
      await runner.stop()
    } catch (error) {
      notifyError(error, 'The run could not be stopped')
    }
  }

  async function resume() {
    const id = pendingRun()
    if (!id) return
    workspace.fresh.value = false
    await runner.resume(id)
    took(copyOf(sandbox))
  }

  async function upload(list: File[]) {
    if (!list.length) return
    const { files, tooLarge } = await readUploads(list, weightOf(sandbox.files))
    const added = files.map((file) => workspace.add(file)).filter((path): path is string => path !== null)
    if (tooLarge.length) notify({ tone: 'bad', text: 'Too large to be sent with a run', detail: tooLarge.join(', ') }, 12_000)
    if (!added.length) return
    notify({
      tone: 'good',
      text: added.length === 1 ? `${added[0]} was added` : `${added.length} files were added`,
      action: { label: 'Undo', act: () => added.forEach((path) => workspace.drop(path)) },
    })
  }

  async function downloadZip() {
    try {
      download('program.zip', await zipFiles(sandbox.files))
    } catch (error) {
      notifyError(error, 'The archive could not be made')
    }
  }

  function restore(past: PastRun) {
    if (!past.sandbox) return
    workspace.replace(past.sandbox, 'Brought back from the history')
  }

  function forget() {
    const before = history.value
    history.value = saveHistory([])
    notify({ tone: 'plain', text: 'The history was emptied', action: { label: 'Undo', act: () => (history.value = saveHistory(before)) } })
  }

  return { workspace, runner, ceilings, history, mark, given, timeoutMs, cost, anonymous, mayRun, has, errors, run, stop, resume, upload, downloadZip, restore, forget }
}

/** "files[1].path" and "args[0]" belong to what the page shows as one. */
function fieldOf(path: string): string {
  return /^(files|args|env|packages|stdin)\b/.exec(path)?.[1] ?? path.replace(/\[\d+\].*$/, '')
}

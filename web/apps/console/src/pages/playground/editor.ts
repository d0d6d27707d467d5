/** CodeMirror as the playground wants it. Loaded when the page is shown; nothing else imports CodeMirror. */
import { autocompletion, closeBrackets, closeBracketsKeymap, completionKeymap } from '@codemirror/autocomplete'
import { defaultKeymap, history, historyKeymap, indentWithTab } from '@codemirror/commands'
import { bracketMatching, HighlightStyle, indentOnInput, indentUnit, syntaxHighlighting } from '@codemirror/language'
import { Compartment, EditorState, type Extension } from '@codemirror/state'
import { drawSelection, dropCursor, EditorView, highlightActiveLine, highlightActiveLineGutter, keymap, lineNumbers } from '@codemirror/view'
import { tags } from '@lezer/highlight'

const colours = HighlightStyle.define([
  { tag: [tags.keyword, tags.modifier, tags.operatorKeyword, tags.self], color: 'var(--accent-ink)' },
  { tag: [tags.string, tags.special(tags.string), tags.regexp], color: 'var(--good)' },
  { tag: [tags.number, tags.bool, tags.null, tags.atom], color: 'var(--warn)' },
  { tag: [tags.comment, tags.meta], color: 'var(--soft)', fontStyle: 'italic' },
  { tag: [tags.function(tags.variableName), tags.function(tags.propertyName), tags.function(tags.definition(tags.variableName))], color: 'var(--ansi-cyan)' },
  { tag: [tags.typeName, tags.className, tags.definition(tags.className), tags.tagName], color: 'var(--ansi-magenta)' },
  { tag: [tags.propertyName, tags.attributeName], color: 'var(--ansi-cyan)' },
  { tag: tags.invalid, color: 'var(--bad)' },
])

const look = EditorView.theme({
  '&': { height: '100%', backgroundColor: 'var(--surface)', color: 'var(--ink)', fontSize: '13px' },
  '&.cm-focused': { outline: 'none' },
  '.cm-scroller': { fontFamily: 'var(--font-mono)', lineHeight: '20px' },
  '.cm-content': { caretColor: 'var(--ink)', padding: '8px 0' },
  '.cm-cursor': { borderLeftColor: 'var(--ink)' },
  '.cm-gutters': { backgroundColor: 'var(--surface)', color: 'var(--soft)', border: 'none', paddingRight: '4px' },
  '.cm-activeLine, .cm-activeLineGutter': { backgroundColor: 'color-mix(in srgb, var(--sunken) 70%, transparent)' },
  '.cm-activeLineGutter': { color: 'var(--ink)' },
  '&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground': { backgroundColor: 'color-mix(in srgb, var(--accent) 28%, transparent)' },
  '.cm-selectionMatch, .cm-searchMatch': { backgroundColor: 'var(--warn-soft)' },
  '.cm-searchMatch-selected': { outline: '1px solid var(--warn)' },
  '&.cm-focused .cm-matchingBracket': { backgroundColor: 'var(--accent-soft)', outline: '1px solid var(--line-strong)' },
  '&.cm-focused .cm-nonmatchingBracket': { backgroundColor: 'var(--bad-soft)' },
  '.cm-panels': { backgroundColor: 'var(--sunken)', color: 'var(--ink)' },
  '.cm-panels.cm-panels-top': { borderBottom: '1px solid var(--line)' },
  '.cm-panel.cm-search': { padding: '8px 32px 8px 10px' },
  '.cm-panel.cm-search label, .cm-panel.cm-search input, .cm-panel.cm-search button': { fontSize: '13px', fontFamily: 'var(--font-sans)' },
  '.cm-textfield': { backgroundColor: 'var(--surface)', border: '1px solid var(--line-strong)', borderRadius: '6px', padding: '3px 8px' },
  '.cm-button': { backgroundImage: 'none', backgroundColor: 'var(--surface)', border: '1px solid var(--line)', borderRadius: '6px', color: 'var(--ink)', minHeight: '24px' },
  '.cm-panel.cm-search [name=close]': { width: '28px', height: '28px', fontSize: '16px', color: 'var(--ink)' },
  '.cm-tooltip': { backgroundColor: 'var(--surface)', border: '1px solid var(--line)', borderRadius: '8px', boxShadow: '0 8px 24px rgb(0 0 0 / 0.16)', overflow: 'hidden' },
  '.cm-tooltip.cm-tooltip-autocomplete > ul': { fontFamily: 'var(--font-mono)' },
  '.cm-tooltip-autocomplete ul li[aria-selected]': { backgroundColor: 'var(--accent-soft)', color: 'var(--accent-ink)' },
  '.cm-diagnostic': { padding: '6px 10px' },
  '.cm-diagnostic-error': { borderLeft: '3px solid var(--bad)' },
  '.cm-lintRange-error': { backgroundImage: 'none', textDecoration: 'underline wavy var(--bad)' },
  '.cm-gutter-lint': { width: '14px' },
})

/** Grammars come when a file wants one, so that a page of Python does without that of JavaScript. */
async function loadLanguage(ending: string): Promise<Extension> {
  if (ending === 'py') return [(await import('@codemirror/lang-python')).python(), indentUnit.of('    ')]
  if (ending === 'json') return (await import('@codemirror/lang-json')).json()
  if (/^[mc]?[jt]s$|^[jt]sx$/.test(ending)) {
    const { javascript } = await import('@codemirror/lang-javascript')
    return javascript({ jsx: ending.endsWith('x'), typescript: ending.includes('t') })
  }
  return []
}

const endingOf = (path: string) => path.slice(path.lastIndexOf('.') + 1).toLowerCase()

export interface EditorHandle {
  /** Shows a file; what was done in it before can still be undone. */
  show: (path: string, content: string) => void
  /** A file has another name; or none any more. */
  rename: (path: string, next: string | null) => void
  /** Forgets all states: other files took the place of these. */
  reset: () => void
  goTo: (line: number, column: number | null) => void
  mark: (line: number | null, message: string) => void
  focus: () => void
  destroy: () => void
}

export interface EditorEvents {
  change: (path: string, content: string) => void
  /** Escape was pressed: the next Tab leaves. */
  escape: () => void
  cursor: (line: number, column: number) => void
}

export function openEditor(parent: HTMLElement, events: EditorEvents): EditorHandle {
  const nonce = document.querySelector<HTMLMetaElement>('meta[name="csp-nonce"]')?.content
  const states = new Map<string, EditorState>()
  const language = new Compartment()
  const marks = new Compartment() // of errors, and
  const finding = new Compartment() // the search panel: both come when they are first wanted
  const languages = new Map<string, Extension>()
  let path = ''

  const common: Extension = [
    lineNumbers(),
    marks.of([]),
    highlightActiveLineGutter(),
    history(),
    drawSelection(),
    dropCursor(),
    EditorState.allowMultipleSelections.of(true),
    indentOnInput(),
    bracketMatching(),
    closeBrackets(),
    autocompletion(),
    highlightActiveLine(),
    finding.of([]),
    syntaxHighlighting(colours),
    look,
    nonce ? EditorView.cspNonce.of(nonce) : [],
    keymap.of([
      { key: 'Mod-Enter', run: () => true }, // runs the program, wherever it is pressed
      { key: 'Mod-f', run: () => (void find().catch(() => {}), true) },
      { key: 'Mod-d', run: () => (void selectNext().catch(() => {}), true) },
    ]),
    keymap.of([...closeBracketsKeymap, ...defaultKeymap, ...historyKeymap, ...completionKeymap, indentWithTab]),
    EditorView.domEventHandlers({
      keydown(event) {
        if (event.key === 'Escape') events.escape()
        return false
      },
    }),
    EditorView.updateListener.of((update) => {
      if (update.docChanged) events.change(path, update.state.doc.toString())
      if (update.docChanged || update.selectionSet) {
        const { head } = update.state.selection.main
        const line = update.state.doc.lineAt(head)
        events.cursor(line.number, head - line.from + 1)
      }
    }),
  ]
  const makeState = (name: string, content: string) =>
    EditorState.create({
      doc: content,
      extensions: [common, language.of(languages.get(endingOf(name)) ?? []), EditorView.contentAttributes.of({ tabindex: '0', 'aria-label': `${name}, code. Escape, then Tab leaves the editor.` })],
    })
  const view = new EditorView({ parent, state: makeState('', '') })

  /** The file that is shown gets its grammar, once that is here. Without one it is plain text. */
  async function speak() {
    const ending = endingOf(path)
    try {
      if (!languages.has(ending)) languages.set(ending, await loadLanguage(ending))
    } catch {
      return // asked for again when the file is shown again
    }
    const wanted = languages.get(ending)!
    if (ending === endingOf(path) && language.get(view.state) !== wanted) view.dispatch({ effects: language.reconfigure(wanted) })
  }

  async function withSearch() {
    const module = await import('@codemirror/search')
    const extension = [module.search({ top: true }), module.highlightSelectionMatches(), keymap.of(module.searchKeymap)]
    if (!(finding.get(view.state) as Extension[]).length) view.dispatch({ effects: finding.reconfigure(extension) })
    return module
  }
  async function find() {
    const { openSearchPanel } = await withSearch()
    openSearchPanel(view)
  }
  async function selectNext() {
    const { selectNextOccurrence } = await withSearch()
    selectNextOccurrence(view)
  }
  async function showMark(number: number | null, message: string) {
    if (number === null && !(marks.get(view.state) as Extension[]).length) return
    const { lintGutter, setDiagnostics } = await import('@codemirror/lint')
    const { doc } = view.state
    if (number === null || number > doc.lines) {
      view.dispatch({ effects: marks.reconfigure([]) }, setDiagnostics(view.state, []))
      return
    }
    const line = doc.line(number)
    const from = Math.min(line.to, line.from + (line.text.length - line.text.trimStart().length))
    view.dispatch({ effects: marks.reconfigure([lintGutter()]) })
    view.dispatch(setDiagnostics(view.state, [{ from, to: line.to, severity: 'error', message }]))
  }

  return {
    show(next, content) {
      if (path) states.set(path, view.state)
      path = next
      const known = states.get(next)
      view.setState(known && known.doc.toString() === content ? known : makeState(next, content))
      void speak()
    },
    rename(from, next) {
      const state = from === path ? view.state : states.get(from)
      states.delete(from)
      if (from === path) path = ''
      if (next && state) {
        // The language may be another one: the text stays, the history begins anew.
        if (from.split('.').pop() === next.split('.').pop()) states.set(next, state)
      }
    },
    reset() {
      states.clear()
      path = ''
    },
    goTo(number, column) {
      const line = view.state.doc.line(Math.min(Math.max(1, number), view.state.doc.lines))
      const at = Math.min(line.to, line.from + Math.max(0, (column ?? 1) - 1))
      view.dispatch({ selection: { anchor: at }, effects: EditorView.scrollIntoView(at, { y: 'center' }) })
      view.focus()
    },
    mark: (number, message) => void showMark(number, message).catch(() => {}), // the output names the line as well
    focus: () => view.focus(),
    destroy: () => view.destroy(),
  }
}

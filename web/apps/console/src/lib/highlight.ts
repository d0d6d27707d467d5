/** Colours for code that is only read. Heavy: import it when code is shown. */
import { javascriptLanguage, jsxLanguage, tsxLanguage, typescriptLanguage } from '@codemirror/lang-javascript'
import { jsonLanguage } from '@codemirror/lang-json'
import { pythonLanguage } from '@codemirror/lang-python'
import { highlightCode, tagHighlighter, tags } from '@lezer/highlight'

export interface CodeSpan {
  text: string
  class: string
}

const PARSERS: Record<string, typeof pythonLanguage.parser> = {
  py: pythonLanguage.parser,
  js: jsxLanguage.parser,
  mjs: javascriptLanguage.parser,
  cjs: javascriptLanguage.parser,
  ts: typescriptLanguage.parser,
  mts: typescriptLanguage.parser,
  tsx: tsxLanguage.parser,
  json: jsonLanguage.parser,
}

const highlighter = tagHighlighter([
  { tag: [tags.keyword, tags.operatorKeyword, tags.modifier], class: 'text-ansi-magenta' },
  { tag: [tags.string, tags.special(tags.string), tags.regexp], class: 'text-good' },
  { tag: [tags.number, tags.bool, tags.null], class: 'text-warn' },
  { tag: tags.comment, class: 'text-soft italic' },
  { tag: [tags.function(tags.variableName), tags.function(tags.definition(tags.variableName)), tags.definition(tags.className)], class: 'text-ansi-blue' },
  { tag: [tags.typeName, tags.className, tags.propertyName], class: 'text-ansi-cyan' },
])

export const canHighlight = (path: string) => PARSERS[path.split('.').pop() ?? ''] !== undefined

export function highlightLines(code: string, path: string): CodeSpan[][] {
  const parser = PARSERS[path.split('.').pop() ?? '']
  if (!parser) return code.split('\n').map((text) => [{ text, class: '' }])
  const lines: CodeSpan[][] = [[]]
  highlightCode(
    code,
    parser.parse(code),
    highlighter,
    (text, classes) => lines[lines.length - 1]!.push({ text, class: classes }),
    () => lines.push([]),
  )
  return lines
}

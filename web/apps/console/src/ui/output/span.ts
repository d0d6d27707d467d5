import type { AnsiColour, AnsiStyle } from '@/lib/ansi'

const TEXT: Record<AnsiColour, string> = {
  red: 'text-bad',
  green: 'text-good',
  yellow: 'text-warn',
  blue: 'text-ansi-blue',
  magenta: 'text-ansi-magenta',
  cyan: 'text-ansi-cyan',
  grey: 'text-soft',
}
const BACK: Record<AnsiColour, string> = {
  red: 'bg-bad text-surface',
  green: 'bg-good text-surface',
  yellow: 'bg-warn text-surface',
  blue: 'bg-ansi-blue text-surface',
  magenta: 'bg-ansi-magenta text-surface',
  cyan: 'bg-ansi-cyan text-surface',
  grey: 'bg-soft text-surface',
}

/** Colours by the page's names, so that both themes can be read. A background decides the text's colour. */
export function spanClasses(style: AnsiStyle | null): string | undefined {
  if (!style) return undefined
  const behind = style.inverse ? (style.fg ?? style.bg) : style.bg
  const out: string[] = []
  if (behind) out.push(BACK[behind])
  else if (style.inverse) out.push('bg-ink text-surface')
  else if (style.fg) out.push(TEXT[style.fg])
  else if (style.dim) out.push('text-soft')
  if (style.bold) out.push('font-bold')
  if (style.italic) out.push('italic')
  if (style.underline && style.strike) out.push('[text-decoration:underline_line-through]')
  else if (style.underline) out.push('underline')
  else if (style.strike) out.push('line-through')
  return out.join(' ')
}

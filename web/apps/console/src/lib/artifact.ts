/** Files that a run left, as they come in an answer (base64), and what can be shown of them. */

export interface LeftFile {
  path: string
  content: string
  encoding: string
  size: number
}

export type ArtifactKind = 'image' | 'table' | 'text' | 'binary'

const IMAGES: Record<string, string> = {
  png: 'image/png',
  jpg: 'image/jpeg',
  jpeg: 'image/jpeg',
  gif: 'image/gif',
  webp: 'image/webp',
  avif: 'image/avif',
  bmp: 'image/bmp',
  svg: 'image/svg+xml',
}

/** Longer JSON is shown as it came: to lay it out would take longer than one wants to wait. */
const JSON_MAX = 500_000

const extensionOf = (path: string) => /\.([^./]+)$/.exec(path)?.[1]?.toLowerCase() ?? ''

export function bytesOf(file: LeftFile): Uint8Array<ArrayBuffer> {
  if (file.encoding !== 'base64') return new TextEncoder().encode(file.content) as Uint8Array<ArrayBuffer>
  const binary = atob(file.content)
  const bytes = new Uint8Array(binary.length)
  for (let i = 0; i < binary.length; i++) bytes[i] = binary.charCodeAt(i)
  return bytes
}

/** The text in it, or null when it is none. */
export function textOf(bytes: Uint8Array): string | null {
  if (bytes.subarray(0, 8192).includes(0)) return null
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    return null
  }
}

/** The type to hand to an <img>, which runs no script, not even an SVG's. */
export function imageType(path: string): string | null {
  return IMAGES[extensionOf(path)] ?? null
}

export function kindOf(path: string, bytes: Uint8Array): ArtifactKind {
  if (imageType(path)) return 'image'
  if (textOf(bytes) === null) return 'binary'
  return ['csv', 'tsv'].includes(extensionOf(path)) ? 'table' : 'text'
}

/** JSON on lines of its own, where it is some and not huge; other text as it is. */
export function readable(path: string, text: string): string {
  if (extensionOf(path) !== 'json' || text.length > JSON_MAX) return text
  try {
    return JSON.stringify(JSON.parse(text), null, 2)
  } catch {
    return text
  }
}

export const baseName = (path: string) => path.slice(path.lastIndexOf('/') + 1)

/** Saves bytes or text as a file. Always as bytes, so that the browser never opens it as a page. */
export function download(name: string, content: Uint8Array<ArrayBuffer> | string) {
  const url = URL.createObjectURL(new Blob([content], { type: 'application/octet-stream' }))
  const link = document.createElement('a')
  link.href = url
  link.download = baseName(name) || 'download'
  link.click()
  setTimeout(() => URL.revokeObjectURL(url), 10_000)
}

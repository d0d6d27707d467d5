/** Files of the reader's own, dropped or chosen: text as it is, anything else as base64. */
import { textOf } from '@/lib/artifact'
import { toBase64 } from '@/lib/base64'
import type { SourceFile } from './model'

/** Of one file, and of all of them: the server takes 10 MB of JSON, base64 included. */
export const FILE_MAX_BYTES = 5 * 1024 * 1024
export const FILES_MAX_BYTES = 7 * 1024 * 1024

export function fileOf(path: string, bytes: Uint8Array): SourceFile {
  const text = textOf(bytes)
  return text === null ? { path, content: toBase64(bytes), encoding: 'base64' } : { path, content: text, encoding: 'utf8' }
}

/** As the request will carry it. */
export function weightOf(files: readonly SourceFile[]): number {
  return files.reduce((sum, file) => sum + file.content.length, 0)
}

export interface Upload {
  files: SourceFile[]
  /** Names of those that were not taken. */
  tooLarge: string[]
}

export async function readUploads(list: Iterable<File>, there: number): Promise<Upload> {
  const upload: Upload = { files: [], tooLarge: [] }
  let total = there
  for (const file of list) {
    const path = (file.webkitRelativePath || file.name).replace(/\\/g, '/')
    if (file.size > FILE_MAX_BYTES || total + file.size > FILES_MAX_BYTES) {
      upload.tooLarge.push(path)
      continue
    }
    const read = fileOf(path, new Uint8Array(await file.arrayBuffer()))
    total += read.content.length
    upload.files.push(read)
  }
  return upload
}

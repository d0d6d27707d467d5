/** The files as an archive. fflate is loaded when it is asked for. */
import { bytesOf } from '@/lib/artifact'
import type { SourceFile } from './model'

export async function zipFiles(files: readonly SourceFile[]): Promise<Uint8Array<ArrayBuffer>> {
  const { zipSync } = await import('fflate')
  const entries: Record<string, Uint8Array> = {}
  for (const file of files) entries[file.path] = bytesOf({ ...file, size: 0 })
  return zipSync(entries, { level: 6 }) as Uint8Array<ArrayBuffer>
}

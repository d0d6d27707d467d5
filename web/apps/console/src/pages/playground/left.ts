/** The files that a run left: those that it was not given, or changed. */
import type { Schemas } from '@/api/client'
import { toBase64 } from '@/lib/base64'
import type { SourceFile } from './model'

type OutputFile = Schemas['OutputFile']

const NOISE = /(^|\/)(__pycache__|node_modules)\//

export function leftFiles(files: readonly OutputFile[] | undefined, given: readonly SourceFile[]): OutputFile[] {
  const before = new Map(given.map((file) => [file.path, file.encoding === 'base64' ? file.content : toBase64(new TextEncoder().encode(file.content))]))
  return (files ?? []).filter((file) => !NOISE.test(file.path) && before.get(file.path) !== file.content)
}

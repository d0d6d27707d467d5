/** Paths as a tree that is read from top to bottom: folders first, then files, each by name. */
import type { SourceFile } from './model'

export interface TreeRow {
  kind: 'folder' | 'file'
  path: string
  name: string
  depth: number
}

export function treeRows(files: readonly Pick<SourceFile, 'path'>[]): TreeRow[] {
  const rows: TreeRow[] = []
  const walk = (paths: string[], prefix: string, depth: number) => {
    const inner = new Map<string, string[]>()
    const here: string[] = []
    for (const path of paths) {
      const rest = path.slice(prefix.length)
      const slash = rest.indexOf('/')
      if (slash < 0) here.push(path)
      else {
        const folder = rest.slice(0, slash)
        inner.set(folder, [...(inner.get(folder) ?? []), path])
      }
    }
    for (const [name, below] of [...inner].sort(([a], [b]) => a.localeCompare(b))) {
      rows.push({ kind: 'folder', path: `${prefix}${name}`, name, depth })
      walk(below, `${prefix}${name}/`, depth + 1)
    }
    for (const path of here.sort((a, b) => a.localeCompare(b))) rows.push({ kind: 'file', path, name: path.slice(prefix.length), depth })
  }
  walk(
    files.map((file) => file.path),
    '',
    0,
  )
  return rows
}

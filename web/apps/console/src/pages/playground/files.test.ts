import { strFromU8, unzipSync } from 'fflate'
import { describe, expect, it } from 'vitest'
import { treeRows } from './tree'
import { fileOf, FILE_MAX_BYTES, readUploads, weightOf } from './upload'
import { zipFiles } from './zip'

describe('treeRows', () => {
  it('puts folders first and names in order', () => {
    const rows = treeRows(['main.py', 'lib/b.py', 'a.txt', 'lib/deep/c.py', 'lib/a.py'].map((path) => ({ path })))
    expect(rows.map((row) => `${'  '.repeat(row.depth)}${row.name}${row.kind === 'folder' ? '/' : ''}`)).toEqual([
      'lib/',
      '  deep/',
      '    c.py',
      '  a.py',
      '  b.py',
      'a.txt',
      'main.py',
    ])
  })
})

describe('uploads', () => {
  it('take text as text and the rest as base64', () => {
    expect(fileOf('a.txt', new TextEncoder().encode('zł'))).toEqual({ path: 'a.txt', content: 'zł', encoding: 'utf8' })
    expect(fileOf('a.bin', new Uint8Array([0, 1, 255]))).toEqual({ path: 'a.bin', content: 'AAH/', encoding: 'base64' })
  })

  it('leave out what is too large, and say which', async () => {
    const small = new File(['x'], 'small.txt')
    const large = { name: 'large.bin', size: FILE_MAX_BYTES + 1, webkitRelativePath: '' } as File
    const upload = await readUploads([small, large], 0)
    expect(upload.files.map((file) => file.path)).toEqual(['small.txt'])
    expect(upload.tooLarge).toEqual(['large.bin'])
    expect(weightOf(upload.files)).toBe(1)
  })
})

describe('zipFiles', () => {
  it('holds text and bytes as they were', async () => {
    const bytes = unzipSync(
      await zipFiles([
        { path: 'lib/zł.py', content: 'print("😀")\n', encoding: 'utf8' },
        { path: 'b.bin', content: 'AAH/', encoding: 'base64' },
      ]),
    )
    expect(strFromU8(bytes['lib/zł.py']!)).toBe('print("😀")\n')
    expect([...bytes['b.bin']!]).toEqual([0, 1, 255])
  })
})

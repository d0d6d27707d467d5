import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

// The nearest package.json above path, or an empty object.
export async function findPackageJSON(path) {
  for (let dir = dirname(path); ; dir = dirname(dir)) {
    try {
      return JSON.parse(await readFile(join(dir, 'package.json'), 'utf8'));
    } catch (error) {
      if (error.code !== 'ENOENT' || dir === '/') return {};
    }
  }
}

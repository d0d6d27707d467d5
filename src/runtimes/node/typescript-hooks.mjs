// Module hooks: how the ES module loader reads TypeScript. Node runs them on a thread of their own.
import { readFile } from 'node:fs/promises';
import { findPackageJSON } from './typescript-package.mjs';
import { fileURLToPath } from 'node:url';
import { compileFunction } from 'node:vm';
import { stripTypes } from './typescript-strip.cjs';

const ONLY_IN_MODULES = /import statement outside|Unexpected token 'export'|'import\.meta' outside|await is only valid/;

async function formatOf(path, code) {
  if (path.endsWith('.mts')) return 'module';
  if (path.endsWith('.cts')) return 'commonjs';
  const { type } = await findPackageJSON(path);
  if (type) return type;
  try {
    compileFunction(code, ['exports', 'require', 'module', '__filename', '__dirname']);
  } catch (error) {
    if (ONLY_IN_MODULES.test(error.message)) return 'module';
  }
  return 'commonjs';
}

export async function load(url, context, nextLoad) {
  if (!/\.[mc]?ts$/.test(url) || !url.startsWith('file:')) return nextLoad(url, context);
  const path = fileURLToPath(url);
  const source = stripTypes(await readFile(path, 'utf8'), path);
  const format = await formatOf(path, source);

  // Without a source, Node takes a CommonJS module from its other loader, which strips it again.
  return { format, source: format === 'module' ? source : null, shortCircuit: true };
}

import assert from 'node:assert';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import * as path from 'node:path';
import { writeFileSync } from 'node:fs';

assert.strictEqual(import.meta.url, 'file:///workspace/main.mjs');
assert.ok((await readFile(new URL(import.meta.url), 'utf8')).includes('import.meta'));
assert.strictEqual(createRequire(import.meta.url)('path'), path.default);
writeFileSync('made.mjs', 'export let count = 0; export const add = () => count++;');
const made = await import('./made.mjs');
made.add();
assert.strictEqual(made.count, 1);
writeFileSync('old.cjs', 'module.exports = { a: 1 }; exports.b = 2;');
assert.strictEqual((await import('./old.cjs')).default.a, 1);
await assert.rejects(import('./missing.mjs'), { code: 'ERR_MODULE_NOT_FOUND' });
await assert.rejects(import('data:text/javascript,throw new Error("loaded")'), /loaded/);
for await (const value of [Promise.resolve(1)]) assert.strictEqual(value, 1);
console.log('ok');

import assert from 'node:assert';
import { constants } from 'node:fs';
import fs from 'node:fs/promises';

await fs.writeFile('file', 'one\ntwo\n');
await fs.appendFile('file', 'three\n');
const file = await fs.open('file');
const lines = [];
for await (const line of file.readLines()) lines.push(line);
assert.deepStrictEqual(lines, ['one', 'two', 'three']);
assert.strictEqual((await fs.stat('file')).size, 14);
await fs.mkdir('a/b', { recursive: true });
await fs.cp('file', 'a/b/copy');
await fs.access('a/b/copy', constants.R_OK);
await fs.rm('a', { recursive: true });
await assert.rejects(fs.readFile('a/b/copy'), { code: 'ENOENT' });
console.log('ok');

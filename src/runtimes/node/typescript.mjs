// Loaded ahead of a TypeScript program (--import) where Node cannot strip types itself.
import { createRequire, register } from 'node:module';
import { readFileSync } from 'node:fs';
import { stripTypes } from './typescript-strip.cjs';

const require = createRequire(import.meta.url);
const { _extensions: extensions } = require('node:module');

register('./typescript-hooks.mjs', import.meta.url);
for (const extension of ['.ts', '.cts']) {
  extensions[extension] = (module, filename) => {
    module._compile(stripTypes(readFileSync(filename, 'utf8'), filename), filename);
  };
}

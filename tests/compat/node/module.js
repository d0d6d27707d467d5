'use strict';

const assert = require('assert');
const Module = require('module');
const fs = require('fs');

fs.mkdirSync('node_modules/thing', { recursive: true });
fs.writeFileSync('node_modules/thing/index.js', 'module.exports = { parent: module.parent.filename };');
assert.strictEqual(require('thing').parent, '/workspace/main.js');
assert.strictEqual(require.resolve('thing'), '/workspace/node_modules/thing/index.js');
assert.strictEqual(Module.createRequire('/workspace/x.js')('./node_modules/thing'), require('thing'));
assert.ok(Module.builtinModules.includes('fs') && Module.isBuiltin('node:fs'));
assert.throws(() => require('no-such-module'), { code: 'MODULE_NOT_FOUND' });
assert.deepStrictEqual(Object.keys(require.cache), ['/workspace/main.js', require.resolve('thing')]);
assert.strictEqual(require.main, module);

process.on('exit', (code) => code === 0 && console.log('ok'));

'use strict';

const assert = require('assert');
const vm = require('vm');

assert.strictEqual(vm.runInNewContext('x + 1', { x: 41 }), 42);
const context = vm.createContext({ log: [] });
vm.runInContext('for (var i = 0; i < 3; i++) log.push(i)', context);
assert.deepStrictEqual([...context.log], [0, 1, 2]);
assert.throws(() => vm.runInNewContext('for (;;);', {}, { timeout: 20 }), { code: 'ERR_SCRIPT_EXECUTION_TIMEOUT' });
const cached = new vm.Script('1 + 1', { produceCachedData: true });
assert.strictEqual(cached.runInThisContext(), 2);
assert.notStrictEqual(vm.runInNewContext('Math.random()'), Math.random());

process.on('exit', (code) => code === 0 && console.log('ok'));

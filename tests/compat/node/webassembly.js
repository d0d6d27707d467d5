'use strict';

const assert = require('assert');
// (func (export "add") (param i32 i32) (result i32) local.get 0 local.get 1 i32.add)
const add = new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0, 1, 7, 1, 96, 2, 127, 127, 1, 127, 3, 2, 1, 0, 7, 7, 1, 3, 97, 100,
  100, 0, 0, 10, 9, 1, 7, 0, 32, 0, 32, 1, 106, 11]);
// (memory 1) (func (export "load") (param i32) (result i32) local.get 0 i32.load)
const load = new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0, 1, 6, 1, 96, 1, 127, 1, 127, 3, 2, 1, 0, 5, 3, 1, 0, 1, 7, 8, 1, 4,
  108, 111, 97, 100, 0, 0, 10, 9, 1, 7, 0, 32, 0, 40, 2, 0, 11]);

WebAssembly.instantiate(add).then(({ instance }) => assert.strictEqual(instance.exports.add(2, 3), 5));
const { exports: loaded } = new WebAssembly.Instance(new WebAssembly.Module(load));
assert.strictEqual(loaded.load(0), 0);
assert.throws(() => loaded.load(1 << 20), WebAssembly.RuntimeError); // V8's trap handler is at work
assert.ok(new WebAssembly.Memory({ initial: 1, maximum: 65536 }).grow(10) === 1);

process.on('exit', (code) => code === 0 && console.log('ok'));

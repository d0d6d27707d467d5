'use strict';

const assert = require('assert');
const util = require('util');

assert.strictEqual(util.format('%s %d %j %o', 'a', 1, { b: 2 }, []), "a 1 {\"b\":2} [ [length]: 0 ]");
assert.strictEqual(util.inspect({ m: new Map([['k', new Set([1])]]) }), "{ m: Map(1) { 'k' => Set(1) { 1 } } }");
util.promisify(setTimeout)(1).then(() => assert.ok(true));
assert.ok(util.isDeepStrictEqual([1, { a: 1 }], [1, { a: 1 }]) && util.types.isPromise(Promise.resolve()));
assert.deepStrictEqual(util.parseArgs({ args: ['-f', 'x'], options: { f: { type: 'boolean', short: 'f' } }, allowPositionals: true }).positionals, ['x']);
assert.deepStrictEqual(structuredClone(new Map([[1, { a: new Date(0) }]])).get(1), { a: new Date(0) });

process.on('exit', (code) => code === 0 && console.log('ok'));

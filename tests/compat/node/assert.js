'use strict';

const assert = require('assert');
assert.deepStrictEqual({ a: [1, new Map([[1, 2]])] }, { a: [1, new Map([[1, 2]])] });
assert.throws(() => assert.equal(1, 2), { code: 'ERR_ASSERTION' });
assert.rejects(Promise.reject(new TypeError('x')), TypeError);
assert.match('abc', /b/);

process.on('exit', (code) => code === 0 && console.log('ok'));

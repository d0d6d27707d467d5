'use strict';

const assert = require('assert');
const { Blob, File, Buffer: B, constants } = require('buffer');

assert.strictEqual(Buffer.from('é€').toString('hex'), 'c3a9e282ac');
assert.strictEqual(Buffer.from('aGk', 'base64').toString(), 'hi');
const buffer = Buffer.alloc(16);
buffer.writeBigUInt64BE(2n ** 60n, 8);
assert.strictEqual(buffer.readBigUInt64BE(8), 2n ** 60n);
assert.ok(B.concat([buffer, buffer]).equals(Buffer.concat([buffer, buffer])) && constants.MAX_LENGTH > 1e9);
new Blob(['a', 'b']).text().then((text) => assert.strictEqual(text, 'ab'));

process.on('exit', (code) => code === 0 && console.log('ok'));

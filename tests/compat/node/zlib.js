'use strict';

const assert = require('assert');
const zlib = require('zlib');

const text = Buffer.from('the quick brown fox '.repeat(1000));
for (const [pack, unpack] of [['gzipSync', 'gunzipSync'], ['deflateSync', 'inflateSync'], ['brotliCompressSync', 'brotliDecompressSync']]) {
  assert.ok(zlib[unpack](zlib[pack](text)).equals(text) && zlib[pack](text).length < 1000);
}
zlib.gzip(text, (error, packed) => zlib.gunzip(packed, (again, whole) => assert.ok(whole.equals(text))));
assert.throws(() => zlib.gunzipSync(Buffer.from('no')), Error);

process.on('exit', (code) => code === 0 && console.log('ok'));

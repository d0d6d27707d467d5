'use strict';

const assert = require('assert');
const { Duplex, Readable, Transform, Writable, finished, pipeline } = require('stream');
const { pipeline: piped } = require('stream/promises');

const upper = () => new Transform({ transform(chunk, _, done) { done(null, String(chunk).toUpperCase()); } });
let text = '';
const sink = new Writable({ write(chunk, _, done) { text += chunk; setImmediate(done); } });
pipeline(Readable.from(['a', 'b']), upper(), sink, (error) => {
  assert.ifError(error);
  assert.strictEqual(text, 'AB');
});
piped(Readable.from(['x']), upper(), new Writable({ write(c, _, done) { done(new Error('full')); } })).then(
  () => assert.fail('no error'), (error) => assert.strictEqual(error.message, 'full'));
Readable.from([1, 2, 3]).map((n) => n * 2).toArray().then((all) => assert.deepStrictEqual(all, [2, 4, 6]));
const web = Readable.toWeb(Readable.from([Buffer.from('w')]));
web.getReader().read().then(({ value }) => assert.strictEqual(Buffer.from(value).toString(), 'w'));
finished(Duplex.from(['y']).resume(), (error) => assert.ifError(error));

process.on('exit', (code) => code === 0 && console.log('ok'));

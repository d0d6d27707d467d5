'use strict';

const assert = require('assert');
const { CompressionStream, DecompressionStream } = require('stream/web');

(async () => {
  const packed = new Blob(['text '.repeat(100)]).stream().pipeThrough(new CompressionStream('gzip'));
  const text = await new Response(packed.pipeThrough(new DecompressionStream('gzip'))).text();
  assert.strictEqual(text, 'text '.repeat(100));
  assert.strictEqual(atob(btoa('x')), 'x');
  const { port1, port2 } = new MessageChannel();
  port2.on('message', (message) => {
    assert.deepStrictEqual(message, { a: 1 });
    port1.close();
  });
  port1.postMessage({ a: 1 });
  const aborted = AbortSignal.timeout(2);
  aborted.addEventListener('abort', () => assert.strictEqual(aborted.reason.name, 'TimeoutError'));
  await new Promise((resolve) => setTimeout(resolve, 20));
})();

process.on('exit', (code) => code === 0 && console.log('ok'));

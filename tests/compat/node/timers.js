'use strict';

const assert = require('assert');
const timers = require('timers/promises');

const order = [];
setTimeout(() => order.push('timeout'), 2);
setImmediate(() => order.push('immediate'));
process.nextTick(() => order.push('tick'));
Promise.resolve().then(() => order.push('micro'));
const interval = setInterval(() => clearInterval(interval), 1);
setInterval(() => {}, 1000).unref();
timers.setTimeout(20, 'value').then((value) => {
  assert.strictEqual(value, 'value');
  assert.deepStrictEqual(order.slice(0, 2), ['tick', 'micro']);
  assert.deepStrictEqual(order.slice(2).sort(), ['immediate', 'timeout']);
});
(async () => {
  let turns = 0;
  for await (const _ of timers.setInterval(1)) if (++turns === 3) break;
})();
const controller = new AbortController();
timers.setTimeout(1e6, null, { signal: controller.signal }).catch((error) => assert.strictEqual(error.name, 'AbortError'));
controller.abort();

process.on('exit', (code) => code === 0 && console.log('ok'));

'use strict';

const assert = require('assert');
const { EventEmitter, on, once } = require('events');

const emitter = new EventEmitter();
emitter.once('a', (value) => assert.strictEqual(value, 1));
assert.ok(emitter.emit('a', 1) && !emitter.emit('a', 2));
assert.throws(() => emitter.emit('error', new Error('unheard')), /unheard/);
once(emitter, 'later').then(([value]) => assert.strictEqual(value, 5));
setImmediate(() => emitter.emit('later', 5));
const target = new EventTarget();
target.addEventListener('x', (event) => assert.ok(event instanceof Event));
target.dispatchEvent(new Event('x'));
(async () => {
  setTimeout(() => emitter.emit('many', 1), 1);
  for await (const [value] of on(emitter, 'many')) {
    assert.strictEqual(value, 1);
    break;
  }
})();

process.on('exit', (code) => code === 0 && console.log('ok'));

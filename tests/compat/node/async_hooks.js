'use strict';

const assert = require('assert');
const { AsyncLocalStorage, AsyncResource, createHook, executionAsyncId } = require('async_hooks');

const storage = new AsyncLocalStorage();
let made = 0;
createHook({ init: () => made++ }).enable();
storage.run({ id: 7 }, () => setTimeout(() => {
  assert.strictEqual(storage.getStore().id, 7);
  assert.ok(made > 0 && executionAsyncId() > 0);
}, 1));
new AsyncResource('R').runInAsyncScope(() => assert.strictEqual(storage.getStore(), undefined));

process.on('exit', (code) => code === 0 && console.log('ok'));

'use strict';

const assert = require('assert');
const { Worker, isMainThread, parentPort, workerData } = require('worker_threads');

if (isMainThread) {
  const shared = new Int32Array(new SharedArrayBuffer(4));
  for (let i = 0; i < 3; i++) {
    const worker = new Worker(__filename, { workerData: { i, shared } });
    worker.on('message', (answer) => assert.strictEqual(answer, i * 2));
    worker.on('exit', (code) => assert.strictEqual(code, 0));
  }
  const endless = new Worker('setInterval(() => {}, 1000)', { eval: true });
  endless.on('online', () => endless.terminate());
  new Worker('throw new RangeError("inside")', { eval: true }).on('error', (error) => assert.strictEqual(error.name, 'RangeError'));
  process.on('exit', () => assert.strictEqual(shared[0], 3));
} else {
  Atomics.add(workerData.shared, 0, 1);
  parentPort.postMessage(workerData.i * 2);
}

if (isMainThread) process.on('exit', (code) => code === 0 && console.log('ok'));

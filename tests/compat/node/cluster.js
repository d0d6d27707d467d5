'use strict';

const assert = require('assert');
const cluster = require('cluster');
const http = require('http');

if (cluster.isPrimary) {
  const worker = cluster.fork();
  worker.on('listening', ({ port }) => http.get({ port, agent: false }, (answer) => {
    answer.on('data', (data) => assert.strictEqual(String(data), 'worker'));
    answer.on('end', () => worker.kill());
  }));
} else {
  http.createServer((request, answer) => answer.end('worker')).listen(0);
}

process.on('exit', (code) => code === 0 && console.log('ok'));

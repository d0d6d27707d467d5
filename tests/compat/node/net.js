'use strict';

const assert = require('assert');
const net = require('net');

const server = net.createServer((socket) => socket.pipe(socket)).listen('/tmp/socket', () => {
  const client = net.connect('/tmp/socket', () => client.end('echo'));
  let text = '';
  client.on('data', (data) => { text += data; }).on('close', () => {
    assert.strictEqual(text, 'echo');
    server.close();
  });
});
net.connect(9, '192.0.2.1').on('error', (error) => assert.strictEqual(error.code, 'ENETUNREACH'));
assert.strictEqual(net.isIP('::1'), 6);

process.on('exit', (code) => code === 0 && console.log('ok'));

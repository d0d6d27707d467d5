'use strict';

const assert = require('assert');
const dgram = require('dgram');

const socket = dgram.createSocket('udp4', (message) => {
  assert.strictEqual(String(message), 'to myself');
  socket.close();
});
socket.bind(0, '127.0.0.1', () => socket.send('to myself', socket.address().port, '127.0.0.1'));

process.on('exit', (code) => code === 0 && console.log('ok'));

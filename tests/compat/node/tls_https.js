'use strict';

const assert = require('assert');
const https = require('https');
const tls = require('tls');
const crypto = require('crypto');

assert.ok(tls.rootCertificates.length > 50 && tls.getCiphers().length > 5);
const psk = { key: crypto.randomBytes(32), id: 'compat' };
const options = { ciphers: 'PSK+HIGH', minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' };
const server = tls.createServer({
  ...options,
  pskCallback: () => psk.key,
}, (socket) => socket.end('secret')).listen(0, () => {
  const client = tls.connect({
    ...options,
    port: server.address().port,
    checkServerIdentity: () => {},
    pskCallback: () => ({ psk: psk.key, identity: psk.id }),
  });
  let text = '';
  client.on('data', (data) => { text += data; }).on('close', () => {
    assert.strictEqual(text, 'secret');
    server.close();
  });
});
https.get('https://192.0.2.1/').on('error', (error) => assert.strictEqual(error.code, 'ENETUNREACH'));

process.on('exit', (code) => code === 0 && console.log('ok'));

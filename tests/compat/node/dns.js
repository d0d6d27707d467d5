'use strict';

const assert = require('assert');
const dns = require('dns');

dns.lookup('localhost', (error, address) => {
  assert.ifError(error);
  assert.ok(address === '127.0.0.1' || address === '::1');
});
dns.promises.lookup('no-such-host.example', 4).then(() => assert.fail('a name was found'), (error) => {
  assert.ok(/^E/.test(error.code));
});

process.on('exit', (code) => code === 0 && console.log('ok'));

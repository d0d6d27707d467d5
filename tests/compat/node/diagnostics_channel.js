'use strict';

const assert = require('assert');
const channels = require('diagnostics_channel');

const channel = channels.channel('compat');
const seen = [];
channel.subscribe((message) => seen.push(message));
channel.publish({ a: 1 });
assert.deepStrictEqual(seen, [{ a: 1 }]);

process.on('exit', (code) => code === 0 && console.log('ok'));

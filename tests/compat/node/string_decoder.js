'use strict';

const assert = require('assert');
const { StringDecoder } = require('string_decoder');

const decoder = new StringDecoder('utf8');
assert.strictEqual(decoder.write(Buffer.from([0xe2, 0x82])) + decoder.write(Buffer.from([0xac])), '€');
assert.strictEqual(new TextDecoder('utf-16le').decode(new Uint8Array([0x61, 0])), 'a');

process.on('exit', (code) => code === 0 && console.log('ok'));

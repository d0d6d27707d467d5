'use strict';

const assert = require('assert');
const { Console } = require('console');
const { Writable } = require('stream');

let text = '';
const sink = new Writable({ write(chunk, _, done) { text += chunk; done(); } });
const log = new Console(sink);
log.log('%s is %d', 'x', 1, { a: { b: { c: { d: 1 } } } });
log.table([{ a: 1 }]);
log.group('g');
log.log('inside');
assert.ok(text.includes('x is 1 { a: { b: { c: [Object] } } }') && text.includes('  inside') && text.includes('│'));
console.error('to standard error');

process.on('exit', (code) => code === 0 && console.log('ok'));

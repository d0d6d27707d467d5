'use strict';

const assert = require('assert');
const repl = require('repl');
const { PassThrough } = require('stream');

const input = new PassThrough();
const output = new PassThrough();
let text = '';
output.on('data', (data) => { text += data; });
repl.start({ input, output, terminal: false, prompt: '> ' }).on('exit', () => assert.ok(text.includes('42')));
input.end('6 * 7\n.exit\n');

process.on('exit', (code) => code === 0 && console.log('ok'));

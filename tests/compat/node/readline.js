'use strict';

const assert = require('assert');
const readline = require('readline');
const { PassThrough } = require('stream');

const input = new PassThrough();
const lines = [];
readline.createInterface({ input }).on('line', (line) => lines.push(line)).on('close', () => {
  assert.deepStrictEqual(lines, ['one', 'two']);
});
input.end('one\ntwo');
const answers = readline.createInterface({ input: process.stdin });
answers.on('close', () => assert.ok(true));

process.on('exit', (code) => code === 0 && console.log('ok'));

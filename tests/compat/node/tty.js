'use strict';

const assert = require('assert');
const tty = require('tty');

assert.ok(!tty.isatty(1) && !process.stdout.isTTY);
assert.throws(() => new tty.WriteStream(100000));

process.on('exit', (code) => code === 0 && console.log('ok'));

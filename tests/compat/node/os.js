'use strict';

const assert = require('assert');
const os = require('os');

assert.ok(os.cpus().length >= 1 && os.cpus()[0].model && os.availableParallelism() >= 1);
assert.strictEqual(os.hostname(), 'docle');
assert.strictEqual(os.userInfo().uid, 1000);
assert.strictEqual(os.tmpdir(), '/tmp');
assert.ok(os.totalmem() > 0 && os.uptime() > 0 && os.EOL === '\n');
assert.deepStrictEqual(Object.keys(os.networkInterfaces()), ['lo']);
assert.strictEqual(os.constants.signals.SIGKILL, 9);

process.on('exit', (code) => code === 0 && console.log('ok'));

'use strict';

const assert = require('assert');
const { exec, execFile, execFileSync, execSync, fork, spawn, spawnSync } = require('child_process');

if (process.argv[2] === 'child') {
  process.on('message', (n) => process.send(n * 2, () => process.disconnect()));
} else {
  assert.strictEqual(execSync('echo hi').toString(), 'hi\n');
  assert.strictEqual(spawnSync('sh', ['-c', 'exit 3']).status, 3);
  assert.strictEqual(execFileSync(process.execPath, ['-p', '6 * 7']).toString(), '42\n');
  assert.strictEqual(spawnSync('cat', { input: 'through' }).stdout.toString(), 'through');
  exec('exit 4', (error) => assert.strictEqual(error.code, 4));
  execFile('no-such-program', (error) => assert.strictEqual(error.code, 'ENOENT'));
  const sleeper = spawn('sleep', ['60']);
  sleeper.on('exit', (code, signal) => assert.strictEqual(signal, 'SIGTERM'));
  setTimeout(() => sleeper.kill(), 20);
  const child = fork(__filename, ['child']);
  child.send(21);
  child.on('message', (answer) => assert.strictEqual(answer, 42));
}

process.on('exit', (code) => code === 0 && console.log('ok'));

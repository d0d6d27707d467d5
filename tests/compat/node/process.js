'use strict';

const assert = require('assert');
assert.deepStrictEqual(process.argv.slice(1), ['/workspace/main.js']);
assert.deepStrictEqual(process.execArgv, []);
assert.strictEqual(process.cwd(), '/workspace');
assert.strictEqual(process.getuid(), 1000);
assert.ok(process.pid > 1 && process.uptime() < 60 && process.memoryUsage().rss > 1e6 && process.cpuUsage().user >= 0);
process.env.ADDED = '1';
assert.strictEqual(require('child_process').execSync('echo $ADDED').toString(), '1\n');
assert.ok(process.hrtime.bigint() > 0n && process.versions.v8 && process.resourceUsage().maxRSS > 0);
const seen = [];
process.on('SIGUSR2', () => seen.push('signal'));
process.kill(process.pid, 'SIGUSR2');
process.nextTick(() => seen.push('tick'));
process.on('warning', (warning) => seen.push(warning.message));
process.emitWarning('careful');
let turns = 0;
process.on('beforeExit', () => {
  if (turns++ < 2) setTimeout(() => seen.push('again'), 1);
});
process.on('exit', () => assert.deepStrictEqual(seen.sort(), ['again', 'again', 'careful', 'signal', 'tick']));

process.on('exit', (code) => code === 0 && console.log('ok'));

'use strict';

const assert = require('assert');
const { PerformanceObserver, monitorEventLoopDelay, performance } = require('perf_hooks');

performance.mark('a');
performance.mark('b');
assert.ok(performance.measure('m', 'a', 'b').duration >= 0);
assert.ok(performance.now() > 0 && performance.timeOrigin > 1e12 && performance.eventLoopUtilization().utilization >= 0);
new PerformanceObserver((list, observer) => {
  assert.strictEqual(list.getEntries()[0].name, 'observed');
  observer.disconnect();
}).observe({ entryTypes: ['mark'] });
performance.mark('observed');
const delay = monitorEventLoopDelay();
delay.enable();
setTimeout(() => delay.disable(), 5);

process.on('exit', (code) => code === 0 && console.log('ok'));

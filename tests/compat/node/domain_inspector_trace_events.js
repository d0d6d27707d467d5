'use strict';

const assert = require('assert');
const domain = require('domain');
const trace = require('trace_events');
const inspector = require('inspector');

const caught = domain.create();
caught.on('error', (error) => assert.strictEqual(error.message, 'in the domain'));
caught.run(() => setTimeout(() => { throw new Error('in the domain'); }, 1));
assert.strictEqual(trace.getEnabledCategories(), undefined);
const session = new inspector.Session();
session.connect();
session.post('Runtime.evaluate', { expression: '6 * 7' }, (error, { result }) => assert.strictEqual(result.value, 42));
session.disconnect();

process.on('exit', (code) => code === 0 && console.log('ok'));

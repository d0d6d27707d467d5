'use strict';

const assert = require('assert');
const v8 = require('v8');

const value = { a: new Map([[1, 'x']]), b: 5n };
assert.deepStrictEqual(v8.deserialize(v8.serialize(value)), value);
const limit = v8.getHeapStatistics().heap_size_limit / 2 ** 20;
assert.ok(limit > 100 && limit < 500, `the heap's limit of ${limit} MB does not follow the run's memory`);
assert.ok(v8.getHeapSpaceStatistics().length > 3);

process.on('exit', (code) => code === 0 && console.log('ok'));

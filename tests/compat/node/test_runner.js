'use strict';

const assert = require('assert');
const { describe, it, mock, test } = require('node:test');

test('passes', () => assert.ok(true));
describe('suite', () => {
  it('waits', async () => new Promise((resolve) => setTimeout(resolve, 1)));
  it('mocks', () => {
    const f = mock.fn(() => 5);
    assert.strictEqual(f(), 5);
    assert.strictEqual(f.mock.calls.length, 1);
  });
});

process.on('exit', (code) => code === 0 && console.log('ok'));

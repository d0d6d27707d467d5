'use strict';

const assert = require('assert');
const path = require('path');
const querystring = require('querystring');
const url = require('url');

assert.strictEqual(path.resolve('a', '../b'), '/workspace/b');
assert.strictEqual(path.relative('/a/b', '/a/c'), '../c');
assert.deepStrictEqual({ ...querystring.parse('a=1&a=2&b=%20') }, { a: ['1', '2'], b: ' ' });
assert.strictEqual(new URL('../x?y=1#z', 'http://h:81/a/b/').href, 'http://h:81/a/x?y=1#z');
assert.strictEqual(url.fileURLToPath(url.pathToFileURL('/a b')), '/a b');
assert.strictEqual(url.domainToASCII('español.com'), 'xn--espaol-zwa.com');

process.on('exit', (code) => code === 0 && console.log('ok'));

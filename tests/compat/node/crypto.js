'use strict';

const assert = require('assert');
const crypto = require('crypto');

assert.strictEqual(crypto.createHash('sha256').update('abc').digest('hex').slice(0, 8), 'ba7816bf');
const key = crypto.scryptSync('password', 'salt', 32);
const cipher = crypto.createCipheriv('aes-256-gcm', key, Buffer.alloc(12));
const secret = Buffer.concat([cipher.update('text'), cipher.final()]);
const decipher = crypto.createDecipheriv('aes-256-gcm', key, Buffer.alloc(12)).setAuthTag(cipher.getAuthTag());
assert.strictEqual(decipher.update(secret) + decipher.final(), 'text');
const { publicKey, privateKey } = crypto.generateKeyPairSync('ed25519');
assert.ok(crypto.verify(null, Buffer.from('m'), publicKey, crypto.sign(null, Buffer.from('m'), privateKey)));
crypto.pbkdf2('p', 's', 1000, 32, 'sha256', (error, derived) => assert.strictEqual(derived.length, 32));
crypto.generateKeyPair('ec', { namedCurve: 'P-256' }, (error) => assert.ifError(error));
crypto.webcrypto.subtle.digest('SHA-1', Buffer.from('abc')).then((hash) => assert.strictEqual(hash.byteLength, 20));
assert.strictEqual(new Set(Array.from({ length: 300 }, () => crypto.randomUUID())).size, 300);
assert.ok(crypto.timingSafeEqual(Buffer.from('a'), Buffer.from('a')));

process.on('exit', (code) => code === 0 && console.log('ok'));

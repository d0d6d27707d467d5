'use strict';

const assert = require('assert');
const fs = require('fs');

fs.mkdirSync('a/b', { recursive: true });
fs.writeFileSync('a/b/file', 'text');
fs.symlinkSync('b/file', 'a/link');
assert.strictEqual(fs.readFileSync('a/link', 'utf8'), 'text');
fs.chmodSync('a/b/file', 0o600);
assert.strictEqual(fs.statSync('a/b/file').mode & 0o777, 0o600);
fs.copyFileSync('a/b/file', 'copy');
fs.renameSync('copy', 'moved');
assert.deepStrictEqual(fs.readdirSync('a', { withFileTypes: true }).map((e) => [e.name, e.isDirectory()]), [['b', true], ['link', false]]);
fs.createReadStream('moved').pipe(fs.createWriteStream('piped')).on('finish', () => {
  assert.strictEqual(fs.readFileSync('piped', 'utf8'), 'text');
  fs.rmSync('a', { recursive: true });
  assert.ok(!fs.existsSync('a'));
});
fs.access('/etc/shadow', (error) => assert.strictEqual(error.code, 'ENOENT'));
assert.throws(() => fs.writeFileSync('/usr/bin/node', ''), /EROFS|EACCES|ETXTBSY/);
const watcher = fs.watch('.', (event, name) => {
  assert.ok(name);
  watcher.close();
});
setTimeout(() => fs.writeFileSync('watched', ''), 20);
assert.ok(fs.mkdtempSync('/tmp/x').startsWith('/tmp/x'));

process.on('exit', (code) => code === 0 && console.log('ok'));

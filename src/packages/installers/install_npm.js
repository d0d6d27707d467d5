// Installs packages by npm, sealed as a run, and hands the result out on standard output (see layer_stream.h).
//
// Besides this program there are only: options.json, package.json (whose dependencies were checked) and, where the
// caller has one, package-lock.json. What npm says goes to standard error.
'use strict';

const { spawnSync } = require('child_process');
const fs = require('fs');
const path = require('path');

const WORK = '/workspace/install';
const OUT = `${WORK}/node_modules`;
const NPM = '/usr/lib/docle/installers/npm/bin/npm-cli.js';
const CONFIG = '/tmp/npmrc';
const PIECE = 1 << 20;

function fail(text) {
  fs.writeSync(2, `${text}\n`);
  process.exit(1);
}

function npmArguments(options, locked) {
  const args = [NPM, locked ? 'ci' : 'install', '--no-audit', '--no-fund', '--no-update-notifier', '--omit=dev',
    '--no-progress', '--loglevel=error', '--color=false', '--install-strategy=hoisted', `--registry=${options.registry}`,
    '--cache=/tmp/npm', '--logs-max=0', `--userconfig=${CONFIG}`, '--globalconfig=/tmp/nothing', '--git=/bin/false',
    '--fetch-retries=2', '--fetch-retry-mintimeout=500', '--fetch-retry-maxtimeout=5000'];
  if (!options.scripts) args.push('--ignore-scripts');
  return args;
}

function runNpm(options) {
  const locked = fs.existsSync(`${WORK}/package-lock.json`);
  const trust = options.cert ? { NODE_EXTRA_CA_CERTS: options.cert } : {};
  const { status, signal } = spawnSync(process.execPath, npmArguments(options, locked), {
    cwd: WORK,
    env: { HOME: '/tmp', PATH: '/usr/local/bin:/usr/bin:/bin', LANG: 'C.UTF-8', ...trust },
    stdio: ['ignore', 2, 2],
  });
  if (status !== 0) process.exit(signal ? 1 : status);
}

// npm itself writes down what it put where.
function resolved() {
  const { packages } = JSON.parse(fs.readFileSync(`${OUT}/.package-lock.json`, 'utf8'));
  const list = Object.entries(packages).filter(([place]) => place.includes('node_modules/')).map(([place, one]) => ({
    name: one.name ?? place.slice(place.lastIndexOf('node_modules/') + 'node_modules/'.length),
    version: one.version ?? '',
    hash: one.integrity ?? '',
  }));
  return list.sort((a, b) => (a.name < b.name ? -1 : Number(a.name > b.name)));
}

function writeAll(bytes) {
  for (let at = 0; at < bytes.length;) {
    try {
      at += fs.writeSync(1, bytes, at);
    } catch (error) {
      if (error.code !== 'EAGAIN') throw error;
    }
  }
}

function head(kind, name, length) {
  const bytes = Buffer.from(name);
  const fixed = Buffer.alloc(8);
  fixed.write(kind, 0, 'latin1');
  fixed.writeUInt16LE(bytes.length, 2);
  fixed.writeUInt32LE(length, 4);
  writeAll(Buffer.concat([fixed, bytes]));
}

function content(kind, name, bytes) {
  head(kind, name, bytes.length);
  writeAll(bytes);
}

function copy(kind, name, full, length) {
  const fd = fs.openSync(full, 'r');
  const piece = Buffer.alloc(Math.min(PIECE, length));
  head(kind, name, length);
  for (let left = length; left > 0;) {
    const n = fs.readSync(fd, piece, 0, Math.min(piece.length, left));
    if (n === 0) fail(`${name} became shorter`);
    writeAll(piece.subarray(0, n));
    left -= n;
  }
  fs.closeSync(fd);
}

function tree(folder, prefix) {
  for (const entry of fs.readdirSync(folder).sort()) {
    const full = path.join(folder, entry);
    const name = prefix + entry;
    const info = fs.lstatSync(full);
    if (info.isSymbolicLink()) {
      content('l', name, Buffer.from(fs.readlinkSync(full)));
    } else if (info.isDirectory()) {
      head('d', name, 0);
      tree(full, `${name}/`);
    } else if (info.isFile()) {
      copy(info.mode & 0o111 ? 'x' : 'f', name, full, info.size);
    } else {
      fail(`${name} is neither file, folder nor link`);
    }
  }
}

function main() {
  const options = JSON.parse(fs.readFileSync('/workspace/options.json', 'utf8'));
  fs.writeFileSync(CONFIG, options.lines.map((line) => `${line}\n`).join(''), { mode: 0o600 });
  fs.mkdirSync(OUT);
  runNpm(options);
  const packages = resolved();
  writeAll(Buffer.from('DOCLE-LAYER-1\n'));
  tree(OUT, '');
  content('r', '', Buffer.from(JSON.stringify(packages)));
  head('e', '', 0);
}

main();

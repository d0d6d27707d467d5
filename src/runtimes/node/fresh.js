// Which programs older versions of Node can only run in a fresh interpreter, and with which flags.
'use strict';

const { readFileSync, readdirSync } = require('fs');
const path = require('path');
const vm = require('vm');

const [major, minor] = process.versions.node.split('.').map(Number);
const DETECTS_MODULES = major > 20 || (major === 20 && minor >= 10);
const WORKERS_END_IN_FORKS = major >= 20;
const ONLY_IN_MODULES = /import statement outside|Unexpected token 'export'|'import\.meta' outside|await is only valid/;

function read(file) {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return null;
  }
}

// The "type" that the nearest package.json gives to file.
function packageType(file) {
  for (let dir = path.dirname(file); ; dir = path.dirname(dir)) {
    const text = read(path.join(dir, 'package.json'));
    if (text !== null) {
      try {
        return JSON.parse(text).type;
      } catch {
        return undefined;
      }
    }
    if (dir === '/') return undefined;
  }
}

// An ES module in a file that does not say so: newer versions find out by themselves.
function isUndeclaredModule(file) {
  const source = file.endsWith('.js') ? read(file) : null;
  if (source === null || packageType(file) !== undefined) return false;
  try {
    vm.compileFunction(source, ['exports', 'require', 'module', '__filename', '__dirname']);
    return false;
  } catch (error) {
    return ONLY_IN_MODULES.test(error.message);
  }
}

function mentionsWorkers(dir) {
  return readdirSync(dir, { withFileTypes: true }).some((entry) => {
    const file = path.join(dir, entry.name);
    if (entry.isDirectory()) return mentionsWorkers(file);
    return /\.[mc]?[jt]s$/.test(file) && (read(file) ?? '').includes('worker_threads');
  });
}

// In a fork of Node 18 a worker that ends hangs the program. For those that no text of the program gave away.
exports.refuseWorkers = () => {
  if (WORKERS_END_IN_FORKS) return;
  const workers = require('worker_threads');
  workers.Worker = class Worker {
    constructor() {
      throw new Error("on Node 18, a program that uses workers must name 'worker_threads' in one of its files");
    }
  };
  require('module').syncBuiltinESMExports();
};

// Flags that the program wants (none: a fresh interpreter is all it wants), or null when any interpreter will do.
exports.freshFlags = (file, workspace) => {
  if (/\.[mc]?ts$/.test(file) && !process.features.typescript) return ['--import', `${__dirname}/typescript.mjs`];
  if (!DETECTS_MODULES && isUndeclaredModule(file)) return ['--experimental-default-type=module'];
  if (!WORKERS_END_IN_FORKS && workspace && mentionsWorkers(workspace)) return [];
  return null;
};

// Which programs older versions of Node need extra flags for, which only a fresh interpreter takes.
'use strict';

const { readFileSync } = require('fs');
const path = require('path');
const vm = require('vm');

const [major, minor] = process.versions.node.split('.').map(Number);
const DETECTS_MODULES = major > 20 || (major === 20 && minor >= 10);
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

// Flags that the program wants, or null when any interpreter will do.
exports.freshFlags = (file) => {
  if (/\.[mc]?ts$/.test(file) && !process.features.typescript) return ['--import', `${__dirname}/typescript.mjs`];
  if (!DETECTS_MODULES && isUndeclaredModule(file)) return ['--experimental-default-type=module'];
  return null;
};

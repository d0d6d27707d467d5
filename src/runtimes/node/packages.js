// Packages that are loaded before the program that asks for them: in a zygote of a set of packages.
'use strict';

const crypto = require('crypto');
const fs = require('fs');
const { createRequire } = require('module');

const FOLDER = '/node_modules/';
const NAMES_FD = 4; // src/zygote/zygote.h
const NAMES_VARIABLE = 'DOCLE_NAMES';
const NAMES_MAX_BYTES = 65536;
const TURNS_MAX = 1000;

// As a program at the top would: what /workspace has under the same name is not looked up yet, nor remembered as
// missing.
const requireFromTop = createRequire('/program.js');

// Packages that are ES modules only. Their promises are settled by turning the event loop by hand.
function importModule(name, turn) {
  let ended = false;
  let failure = null;

  import(name).catch((error) => { failure = error; }).finally(() => { ended = true; });
  for (let turns = 0; !ended && turns < TURNS_MAX; turns++) {
    turn();
    process._tickCallback();
  }
  if (failure) throw failure;
}

function load(name, turn) {
  try {
    requireFromTop(name);
  } catch (error) {
    if (error.code !== 'ERR_REQUIRE_ESM' && error.code !== 'ERR_PACKAGE_PATH_NOT_EXPORTED') throw error;
    importModule(name, turn);
  }
}

function randomFraction() {
  return crypto.randomBytes(6).readUIntBE(0, 6) / 2 ** 48;
}

// Node and V8 keep a store of random numbers that the first call fills. It would be the same in all forks, so while
// packages are loaded nobody draws from one. The functions may be kept by a package: they go on working.
function withoutStores(act) {
  const { random } = Math;
  const { randomInt, randomUUID } = crypto;

  Math.random = randomFraction;
  crypto.randomUUID = (options) => randomUUID({ ...options, disableEntropyCache: true });
  crypto.randomInt = (min, max, callback) => {
    const [low, high, then] = typeof max === 'number' ? [min, max, callback] : [0, min, max];
    const number = low + Math.floor(randomFraction() * (high - low));
    return typeof then === 'function' ? process.nextTick(then, null, number) : number;
  };
  try {
    act();
  } finally {
    Math.random = random;
    crypto.randomUUID = randomUUID;
    crypto.randomInt = randomInt;
  }
}

exports.threads = () => fs.readdirSync('/proc/self/task').length;

// What cannot be loaded is left to the programs, which then see why.
exports.load = (names, turn) => {
  for (const name of names) {
    try {
      load(name, turn);
    } catch (error) {
      process.stderr.write(`packages: ${name}: ${error}\n`);
    }
  }
};

// In a zygote with packages: those whose names the launcher passed on.
exports.loadListed = (turn) => {
  if (process.env[NAMES_VARIABLE] === undefined) return;
  delete process.env[NAMES_VARIABLE];
  const text = Buffer.alloc(NAMES_MAX_BYTES);
  const names = text.toString('utf8', 0, fs.readSync(NAMES_FD, text, 0, text.length, 0)).split('\n').filter(Boolean);
  fs.closeSync(NAMES_FD);
  withoutStores(() => exports.load(names, turn));
  process._tickCallback();
};

// Leaves a program the modules of packages alone; ours are none of its business.
exports.forgetOthers = (cache) => {
  for (const name of Object.keys(cache)) if (!name.startsWith(FOLDER)) delete cache[name];
};

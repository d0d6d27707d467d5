// Loaded ahead of a program that is started plainly (--require), on versions of Node that need flags for some: the
// program starts over with them.
'use strict';

const { isMainThread } = require('worker_threads');

function main() {
  const path = require('path');
  const { freshFlags } = require('./fresh.js');
  const [node, program, ...args] = process.argv;
  const flags = program && freshFlags(path.resolve(program), null);

  if (flags) {
    const heap = process.execArgv.filter((flag) => flag.startsWith('--max-old-space-size'));
    require('./docle.node').exec(node, [node, ...heap, ...flags, program, ...args]);
  }
  for (const name of Object.keys(require.cache)) delete require.cache[name];
}

if (isMainThread) main();

// What a Node zygote runs, as a module loaded ahead of the main program (--require): loads what is common, serves,
// and in each child turns the process into one that looks freshly started with the caller's program. Then it
// returns, and Node itself runs that program by its own rules: CommonJS or ES module, errors printed, exit codes.
//
// The main program on the zygote's command line is a placeholder; which one it is, is known in the child only.
'use strict';

const { isMainThread } = require('worker_threads');

const WORKSPACE = '/workspace';

// Read by Node before any JavaScript runs: a program that sets one wants a fresh interpreter.
const STARTUP_VARIABLES = /^(NODE_(?!ENV$|TLS_REJECT_UNAUTHORIZED$)|OPENSSL_|SSL_CERT_)/;

const COMMON_MODULES = [
  'assert', 'async_hooks', 'buffer', 'child_process', 'crypto', 'events', 'fs', 'fs/promises', 'http', 'https',
  'module', 'net', 'os', 'path', 'perf_hooks', 'process', 'querystring', 'readline', 'stream', 'stream/promises',
  'string_decoder', 'timers', 'timers/promises', 'tls', 'tty', 'url', 'util', 'v8', 'vm', 'worker_threads', 'zlib',
];

const MODULE_TURNS_MAX = 1000;

const docle = isMainThread ? require(`${__dirname}/docle.node`) : null;

// --- in the zygote ------------------------------------------------------------------------------------------------

// Standard output is /dev/null here and a pipe in a run. The stream made now writes synchronously to both, so a
// program loses nothing that it wrote before process.exit().
function warm() {
  for (const name of COMMON_MODULES) require(name);
  console.log('%s %o', 'warm', { a: [1, 2] });
  process.stderr.write('');
  for (const name of ['URL', 'URLSearchParams', 'TextEncoder', 'TextDecoder', 'AbortController', 'structuredClone',
    'performance', 'queueMicrotask', 'setImmediate']) {
    void globalThis[name];
  }
  void [setTimeout, Promise, Buffer.from('x').toString('base64')];
  process._tickCallback(); // what a zygote leaves undone, each of its forks would do
}

// Runs a main program once, since functions are compiled at their first call: that took a run 15 % of its time.
function warmMain(Module, freshFlags) {
  const path = `${__dirname}/training.js`;

  freshFlags(path, null);
  Module.runMain(path);
  delete Module._cache[path];
  delete process.mainModule;
  Module._initPaths();
  process.chdir(process.cwd());
  process._tickCallback();
}

// Runs the ES module loader once. Its promises are settled by turning the event loop by hand: the main program, after
// which Node would do that, never begins here.
function warmModules() {
  let loaded = false;

  import(`file://${__dirname}/training.mjs`).then(() => { loaded = true; });
  for (let turns = 0; !loaded && turns < MODULE_TURNS_MAX; turns++) {
    docle.turn();
    process._tickCallback();
  }
}

// Without the processor's figures in /proc a run would see no processors.
function processorsOf(os) {
  const idle = { user: 0, nice: 0, sys: 0, idle: 0, irq: 0 };
  return os.cpus().map(({ model, speed }) => ({ model, speed, times: { ...idle } }));
}

// --- in a child ---------------------------------------------------------------------------------------------------

function redefine(object, name, value) {
  Object.defineProperty(object, name, { value, writable: true, enumerable: true, configurable: true });
}

// Loads what the launcher names, in the sealed process, before it knows its program.
function prepare(run, packages) {
  process.chdir(WORKSPACE);
  Object.defineProperty(process, 'pid', { value: docle.pid() });
  packages.load(run.args, docle.turn);
  process._tickCallback();
  return docle.resume();
}

function settleProcess(run, path) {
  const startedAt = process.uptime();
  const { uptime } = process;

  require('module')._initPaths(); // of HOME
  process.chdir(run.training ? '/' : WORKSPACE); // Node remembers where it was
  Object.defineProperty(process, 'pid', { value: docle.pid() });
  Object.defineProperty(process, '_preload_modules', { value: [] });
  process.argv.splice(1, Infinity, path, ...run.args);
  process.execArgv = [];
  process.uptime = () => uptime() - startedAt;
  if (process.env.TZ !== undefined) process.env.TZ = process.env.TZ; // V8 asks the C library again
}

// Where V8's own generator is out of reach (Node 24 on), it is the same in all forks. The main context takes its
// state from a seed now; later contexts draw from V8's generator again, so each gets a seed for its making.
function settleRandomness(vm, crypto) {
  docle.seed(crypto.randomInt(1, 0x7fffffff));
  Math.random();
  docle.seed(0);
  for (const name of ['createContext', 'runInNewContext']) {
    const original = vm[name];
    redefine(vm, name, {
      [name](...args) {
        docle.seed(crypto.randomInt(1, 0x7fffffff));
        try {
          const result = original.apply(this, args);
          if (name === 'createContext') vm.runInContext('Math.random()', result);
          return result;
        } finally {
          docle.seed(0);
        }
      },
    }[name]);
  }
}

// Node is about to call Module.runMain(placeholder): the accessor puts everything back to how Node had it and
// answers with a call of the original for the caller's program, so that nothing of us shows in a stack trace.
function replaceMain(Module, path) {
  const original = Module.runMain;
  Object.defineProperty(Module, 'runMain', {
    configurable: true,
    enumerable: true,
    get() {
      redefine(Module, 'runMain', original);
      return original.bind(Module, path);
    },
  });
}

// A program that sets start-up variables, or needs flags: the process becomes a fresh interpreter.
function startOverIfNeeded(run, path, freshFlags) {
  const flags = run.training ? null : freshFlags(path, WORKSPACE);

  if (flags || Object.keys(process.env).some((name) => STARTUP_VARIABLES.test(name))) {
    const heap = `--max-old-space-size=${run.heapMB}`;
    docle.exec(process.execPath, [process.execPath, heap, ...(flags ?? []), path, ...run.args]);
  }
}

function main() {
  const Module = require('module');
  const os = require('os');
  const vm = require('vm');
  const crypto = require('crypto');
  const { freshFlags, refuseWorkers } = require('./fresh.js');
  const packages = require('./packages.js');

  warm();
  warmModules();
  warmMain(Module, freshFlags);
  const processors = processorsOf(os);
  const ownThreads = packages.threads();
  packages.loadListed(docle.turn);
  docle.collectGarbage();
  let run = docle.serve(ownThreads);

  if (run.alike) settleRandomness(vm, crypto);
  os.cpus = () => structuredClone(processors);
  if (run.preparing) run = prepare(run, packages);
  const path = run.training ? `${__dirname}/training.js` : `${WORKSPACE}/${run.entrypoint}`;
  startOverIfNeeded(run, path, freshFlags);
  settleProcess(run, path);
  refuseWorkers();
  packages.forgetOthers(Module._cache);
  replaceMain(Module, path);
  docle.guard();
}

if (isMainThread) main();

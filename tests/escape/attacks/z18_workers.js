// Z-18 (node): not an attack: worker threads in a fork; in Node 18 they would hang, and a fresh process serves
// What must work; there is nothing to switch off.
// expect: 42 exit 0
const { Worker } = require("worker_threads");
const out = [];
new Worker("require('worker_threads').parentPort.postMessage(6 * 7)", { eval: true })
  .on("message", (message) => out.push(message)).on("exit", (code) => console.log(...out, "exit", code));

// P-05 (node): workers without end, of which 24 would do: an error, and no hang, once there are as many threads as the run may have
// expect: ERR_WORKER_INIT_FAILED
// hits: processes
// limits: memory_mb=512 processes=16
// without: cgroup -> exited 0: made 24
const { Worker } = require("worker_threads");
const fs = require("fs");
let made = 0;
const more = () => {
  if (made === 24) end(`made ${made}`);
  try {
    new Worker("setTimeout(() => {}, 1e6); require('worker_threads').parentPort.postMessage(1)", { eval: true })
      .on("error", (error) => end(error.code)).on("message", more);
  } catch (error) {
    end(error.code);
  }
  made++;
};
const end = (text) => {
  fs.writeSync(1, text + "\n");
  process.reallyExit(0);
};
more();

// P-03 (node): children without end, of which 60 would do
// expect: EAGAIN
// hits: processes
// limits: processes=24
// without: cgroup -> exited 0: 60
const { spawn } = require("child_process");
let told = false;
const all = [];
for (let i = 0; i < 60; i++) {
  all.push(spawn("/bin/sleep", ["60"], { stdio: "ignore" }).on("error", (error) => {
    if (!told) console.log(error.code);
    told = true;
  }));
}
setTimeout(() => {
  if (!told) console.log(all.filter((one) => one.pid).length);
  process.reallyExit(0);
}, 200);

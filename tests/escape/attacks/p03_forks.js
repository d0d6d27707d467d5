// P-03 (node): children without end
// outcome: timeout 9
// expect: EAGAIN
// hits: processes
// limits: timeout_ms=2500 processes=32
const { spawn } = require("child_process");
let told = false;
setInterval(() => {
  for (let i = 0; i < 8; i++)
    spawn("/bin/sleep", ["60"], { stdio: "ignore" }).on("error", (error) => {
      if (!told) console.log(error.code);
      told = true;
    });
}, 1);

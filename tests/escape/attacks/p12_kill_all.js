// P-12 (node): killing all that can be seen: a child of ours, and nobody else
// Without these, "all" is the service's zygotes and inits; the host's processes are in neither case.
// expect: SIGKILL
// without: pidns + userns + caps + landlock -> sandbox_error -1:*
const child = require("child_process").spawn("/bin/sleep", ["60"]);
child.on("exit", (code, signal) => console.log(signal));
process.kill(-1, "SIGKILL");

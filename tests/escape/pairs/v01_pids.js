// V-01 (node): the second looks for processes of others, by every number
// expect: 1 2
// without: pidns
const fs = require("fs");
if (fs.readFileSync("role", "utf8") === "first") {
  fs.writeSync(1, "ready\n");
  process.stdin.resume();
} else {
  const alive = (pid) => { try { process.kill(pid, 0); return true; } catch (error) { return error.code !== "ESRCH"; } };
  console.log(...Array.from({ length: 32768 }, (_, i) => i + 1).filter(alive));
}

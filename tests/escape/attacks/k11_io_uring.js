// K-11 (node): io_uring: libuv of some versions makes one where it may
// The zygote's own filter stops it; no switch turns that off.
// expect: 0
const fs = require("fs");
const links = fs.readdirSync("/proc/self/fd").map((fd) => {
  try { return fs.readlinkSync("/proc/self/fd/" + fd); } catch { return ""; }
});
console.log(links.filter((link) => link.includes("io_uring")).length);

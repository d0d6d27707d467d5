// K-11 (node): io_uring: libuv of some versions makes one where it may
// The zygote's own filter stops it. Node 22 and later make one at their start, older ones never, so that here
// it depends on the Node at hand whether a switch shows anything; k11_io_uring.py has it.
// expect: 0
const fs = require("fs");
const links = fs.readdirSync("/proc/self/fd").map((fd) => {
  try { return fs.readlinkSync("/proc/self/fd/" + fd); } catch { return ""; }
});
console.log(links.filter((link) => link.includes("io_uring")).length);

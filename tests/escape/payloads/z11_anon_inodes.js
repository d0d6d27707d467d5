// Z-11: eventfds and epolls of the zygote: all but our own loop are /dev/null
// expect: true
// without: fd-scrub
const fs = require("fs");
const links = fs.readdirSync("/proc/self/fd").map((fd) => { try { return fs.readlinkSync("/proc/self/fd/" + fd); } catch { return ""; } });
console.log(links.filter((link) => link.includes("io_uring")).length === 0 && links.filter((link) => link === "/dev/null").length > 3);

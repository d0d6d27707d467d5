// Z-09 (node): descriptors that came with the fork: kinds beyond /dev/null and the own event loop
// expect: /dev/null anon_inode:[eventfd] anon_inode:[eventpoll] pipe:[N]
// without: fd-scrub
const fs = require("fs");
const kinds = new Set();
for (let fd = 3; fd < 1024; fd++) {
  try {
    kinds.add(fs.readlinkSync("/proc/self/fd/" + fd).replace(/[0-9]+/g, "N"));
  } catch {}
}
console.log([...kinds].sort().join(" "));

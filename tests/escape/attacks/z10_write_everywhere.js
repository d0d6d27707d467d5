// Z-10 (node): writing to whatever the fork inherited; the host check asks the zygote again
// expect: written
// without: fd-scrub -> sandbox_error -1:*
const fs = require("fs");
for (let fd = 3; fd < 64; fd++) {
  try { fs.writeSync(fd, Buffer.from([1, 0, 0, 0, 0, 0, 0, 0])); } catch {}
}
fs.writeSync(1, "written\n");
process.reallyExit(0);

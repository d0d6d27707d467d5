// F-12 (node): writing to what the system is made of
// Three layers: the root cannot be written to; Landlock says so again; and what is there belongs to nobody of the
// run's namespace, which is the kernel's own rule.
// expect: EROFS EROFS EROFS EROFS EROFS EROFS
// without: readonly -> exited 0: EACCES EACCES EACCES EACCES EACCES *
// without: readonly + landlock -> exited 0: ok EACCES EACCES EACCES EACCES *
const fs = require("fs");
const places = ["/x", "/usr/x", "/etc/x", "/usr/lib/docle/bootstrap.js", "/usr/bin/node", "/dev/x"];
console.log(places.map((place) => {
  try { fs.appendFileSync(place, "x"); return "ok"; } catch (error) { return error.code; }
}).join(" "));

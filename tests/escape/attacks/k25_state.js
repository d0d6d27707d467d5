// K-25 (node): capabilities (inheritable, permitted, effective, bounding, ambient), NoNewPrivs, Seccomp
// expect: 0 0 0 0 0 1 2
// without: caps
const status = require("fs").readFileSync("/proc/self/status", "utf8");
const names = ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp"];
console.log(names.map((name) => parseInt(new RegExp(`^${name}:\t(\\w+)`, "m").exec(status)[1], 16)).join(" "));

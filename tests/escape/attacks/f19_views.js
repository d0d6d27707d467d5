// F-19 (node): what /proc, /sys and /dev show
// expect: 2 false self thread-self fd full null random shm stderr stdin stdout urandom zero
// without: pidns
// without: mounts
const fs = require("fs");
const names = fs.readdirSync("/proc").sort();
console.log(...names.filter((name) => /^[0-9]/.test(name)), fs.existsSync("/sys"),
  ...names.filter((name) => !/^[0-9]/.test(name)), ...fs.readdirSync("/dev").sort());

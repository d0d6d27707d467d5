// F-18 (node): what /proc/self tells of the server, the launcher and its settings
// expect: end
// without: overlay
const fs = require("fs");
const text = ["maps", "environ", "auxv", "cmdline", "mountinfo"]
  .map((name) => fs.readFileSync(`/proc/self/${name}`, "latin1")).join("");
const words = ["DOCLE", "launcher", "uid-base", "/var/lib", "/root/", "/home/", "/tmp/", "PATH=/usr/local"];
console.log(...words.filter((word) => text.includes(word)), "end");

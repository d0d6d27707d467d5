// Z-13: whose pid the program sees
// expect: 2 0
// without: pidns
console.log(process.pid, process.ppid);

// Z-13 (node): whose ids the program sees
// expect: 2 0 1000 1000
// without: pidns
// without: userns + caps
console.log(process.pid, process.ppid, process.getuid(), process.getgid());

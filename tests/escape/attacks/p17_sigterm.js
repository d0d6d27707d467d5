// P-17 (node): SIGTERM to oneself, which pid 1 would not feel
// outcome: signalled 15
// expect:
// without: init -> exited 0: alive
process.kill(process.pid, "SIGTERM");
setTimeout(() => console.log("alive"), 100);

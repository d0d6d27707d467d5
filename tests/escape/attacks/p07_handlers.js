// P-07 (node): a loop that would answer every polite signal
// outcome: timeout 9
// expect:
// limits: timeout_ms=400
// without: deadline -> exited 0: free
for (const name of ["SIGTERM", "SIGINT", "SIGHUP", "SIGUSR1"]) process.on(name, () => {});
const end = Date.now() + 1500;
while (Date.now() < end);
console.log("free");

// P-07 (node): a loop that would answer every polite signal
// outcome: timeout 9
// expect:
// limits: timeout_ms=400
for (const name of ["SIGTERM", "SIGINT", "SIGHUP", "SIGUSR1"]) process.on(name, () => {});
for (;;);

// P-07: a loop that answers every signal
// expect: timeout 9
// outcome: yes
// timeout: 400
for (const name of ["SIGTERM", "SIGINT", "SIGHUP"]) process.on(name, () => {});
for (;;);

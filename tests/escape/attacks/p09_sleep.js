// P-09 (node): sleeping for longer than allowed, in the event loop
// outcome: timeout 9
// expect:
// limits: timeout_ms=400
// without: deadline -> exited 0: free
setTimeout(() => console.log("free"), 1500);

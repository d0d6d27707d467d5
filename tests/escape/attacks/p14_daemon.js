// P-14 (node): a daemon that would outlive the program; the host check looks for it
// shown: cgroup, by test_many.py
// expect: gone
require("child_process").spawn("/bin/sleep", ["1000000"], { detached: true, stdio: "ignore" }).unref();
console.log("gone");

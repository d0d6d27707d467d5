# V-01 (python): the second looks for processes of others, by every number
# expect: 1 2
# without: pidns
import os
import sys

from attack import attempt

if open("role").read() == "first":
    print("ready", flush=True)
    sys.stdin.read()
else:
    print(*[pid for pid in range(1, 32769) if attempt(os.kill, pid, 0) != "ESRCH"])

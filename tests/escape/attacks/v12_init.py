# V-12 (python): killing the init of the slot and whoever else has a number
# expect: EPERM 0
# An init has no ears for signals of its own namespace, also where it belongs to the same user as the run.
# rootless: exited 0: ok 0
# without: pidns
import os

from attack import attempt

print(attempt(os.kill, 1, 9), sum(attempt(os.kill, pid, 9) != "ESRCH" for pid in range(3, 32768)))

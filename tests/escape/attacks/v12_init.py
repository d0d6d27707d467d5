# V-12 (python): killing the init of the slot and whoever else has a number
# expect: EPERM 0
# without: pidns
import os

from attack import attempt

print(attempt(os.kill, 1, 9), sum(attempt(os.kill, pid, 9) != "ESRCH" for pid in range(3, 32768)))

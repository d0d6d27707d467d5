# P-20 (python): limits of another process
# expect: EPERM EPERM
# without: seccomp
import os
import time

from attack import call

child = os.fork()
if child == 0:
    time.sleep(60)
print(call("prlimit64", child, 7, 0, bytes(16)), call("prlimit64", 1, 7, 0, bytes(16)))
os.kill(child, 9)

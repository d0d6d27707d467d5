# K-05 (python): ptrace: attach to a child, to the init, be traced
# expect: EPERM EPERM EPERM
# without: seccomp
import os
import time

from attack import call

child = os.fork()
if child == 0:
    time.sleep(60)
seen = [call("ptrace", 16, child, 0, 0), call("ptrace", 16, 1, 0, 0)]
os.kill(child, 9)
print(*seen, call("ptrace", 0, 0, 0, 0))

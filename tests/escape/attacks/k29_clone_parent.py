# K-29 (python): clone with CLONE_PARENT: children of the zygote, which nobody waits for; as many as the run may have
# processes, and the next run of the slot has none left
# expect: EPERM EPERM EPERM
# without: seccomp -> exited 0: ok ok ok
import errno
import os

from attack import raw

seen = []
for _ in range(3):
    result = raw("clone", 0x8000 | 17, 0, 0, 0, 0)
    if result == 0:
        os._exit(0)
    seen.append(errno.errorcode[-result] if result < 0 else "ok")
print(*seen)

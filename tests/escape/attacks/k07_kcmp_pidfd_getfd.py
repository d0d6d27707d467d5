# K-07 (python): kcmp and pidfd_getfd
# expect: EPERM EPERM
# without: seccomp
import os

from attack import call, raw

me = os.getpid()
print(call("kcmp", me, me, 0, 0, 0), call("pidfd_getfd", raw("pidfd_open", me, 0), 0, 0))

# M-24 (python): dropping what all read from memory, by the hint that it is not needed: it is taken for done
# The second asks about no file at all, and shows who answers.
# expect: ok ok
# without: seccomp -> exited 0: ok EBADF
import os

from attack import attempt

shared = os.open("/usr/bin/node", os.O_RDONLY)
print(attempt(os.posix_fadvise, shared, 0, 0, os.POSIX_FADV_DONTNEED),
      attempt(os.posix_fadvise, 1023, 0, 0, os.POSIX_FADV_DONTNEED))

# M-25 (python): reading the shared root from the disk, not from memory, to keep the disk busy for all: O_DIRECT when
# opening, and after
# expect: EINVAL EINVAL
# without: seccomp
import fcntl
import os

from attack import attempt

shared = os.open("/usr/bin/node", os.O_RDONLY)
print(attempt(os.open, "/usr/bin/node", os.O_RDONLY | os.O_DIRECT),
      attempt(fcntl.fcntl, shared, fcntl.F_SETFL, os.O_DIRECT))

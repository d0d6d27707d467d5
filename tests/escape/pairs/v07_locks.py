# V-07 (python): a mailbox made of locks on a file that all runs share, read-only: flock, and locks for reading
# A covert channel that is not closed: SECURITY.md, "What is left". What runs do not get: locks for writing, leases.
# expect: EAGAIN EBADF EACCES
# first: locked
import fcntl
import sys

from attack import attempt

shared = open("/usr/bin/env", "rb")
if open("role").read() == "first":
    fcntl.flock(shared, fcntl.LOCK_EX)
    print("ready", flush=True)
    sys.stdin.read()
    print("locked")
else:
    print(attempt(fcntl.flock, shared, fcntl.LOCK_EX | fcntl.LOCK_NB),
          attempt(fcntl.lockf, shared, fcntl.LOCK_EX | fcntl.LOCK_NB),
          attempt(fcntl.fcntl, shared, fcntl.F_SETLEASE, fcntl.F_RDLCK))

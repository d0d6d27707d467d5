# V-05 (python): mailboxes of System V: shared memory and queues, open to everybody
# Two layers: without seccomp the IPC namespace hides them; without both they are found.
# expect: ENOSYS ENOSYS
# without: seccomp -> ENOENT ENOENT
# without: seccomp + ipcns -> ok ok
import sys

from attack import call

if open("role").read() == "first":
    call("shmget", 77, 4096, 0o1666)
    call("msgget", 77, 0o1666)
    print("ready", flush=True)
    sys.stdin.read()
else:
    print(call("shmget", 77, 0, 0), call("msgget", 77, 0))

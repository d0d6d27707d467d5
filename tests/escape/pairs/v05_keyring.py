# V-05 (python): a mailbox in the key rings of the user, the session and the namespace
# expect: EPERM EPERM EPERM
# without: seccomp
import sys

from attack import call

rings = (-3, -4, -5)
if open("role").read() == "first":
    for ring in rings:
        call("add_key", b"user", b"mail", b"x", 1, ring)
    print("ready", flush=True)
    sys.stdin.read()
else:
    print(*[call("keyctl", 10, ring, b"user", b"mail", 0) for ring in rings])

# K-12 (python): the kernel's key rings
# expect: EPERM EPERM EPERM
# without: seccomp
from attack import call

print(call("keyctl", 0, -3, 1), call("add_key", b"user", b"mail", b"x", 1, -3),
      call("request_key", b"user", b"mail", 0, -3))

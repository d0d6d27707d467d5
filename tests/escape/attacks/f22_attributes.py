# F-22 (python): extended attributes of files
# expect: EPERM EPERM EPERM EPERM
# without: seccomp
import os

from attack import attempt

open("f", "x").close()
print(*[attempt(os.setxattr, "f", name, b"x")
        for name in ("user.mail", "security.capability", "trusted.x", "system.posix_acl_access")])

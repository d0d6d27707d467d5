# O-09 (python): writing to every descriptor that may be there
# expect: EBADF
# without: fd-scrub -> sandbox_error -1:*
import os

from attack import attempt

print(*sorted({attempt(os.write, fd, b"x") for fd in range(3, 1024)}))

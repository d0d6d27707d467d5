# Z-10 (python): writing to whatever the fork inherited; the host check asks the zygote again
# expect: 0
# without: fd-scrub -> sandbox_error -1:*
import os

from attack import attempt

print(sum(attempt(os.write, fd, b"\1\0\0\0\0\0\0\0") == "ok" for fd in range(3, 256)))

# Z-10 (python): writing to whatever the fork inherited; the host check asks the zygote again
# O-09 shows the same with the defence off.
# expect: 0
import os

from attack import attempt

print(sum(attempt(os.write, fd, b"\1\0\0\0\0\0\0\0") == "ok" for fd in range(3, 256)))

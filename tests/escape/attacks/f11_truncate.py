# F-11 (python): a file of an exabyte
# expect: EFBIG EFBIG
# without: rlimits
import os

from attack import attempt

fd = os.open("f", os.O_CREAT | os.O_RDWR)
print(attempt(os.ftruncate, fd, 1 << 60), attempt(os.posix_fallocate, fd, 0, 1 << 60))

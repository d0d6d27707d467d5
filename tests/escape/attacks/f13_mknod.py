# F-13 (python): device nodes: a disk, and /dev/mem
# The kernel refuses them to every user namespace but the first; no switch reaches that far.
# expect: EPERM EPERM
import os
import stat

from attack import attempt

print(attempt(os.mknod, "/tmp/disk", stat.S_IFBLK | 0o600, 0x0100),
      attempt(os.mknod, "/tmp/mem", stat.S_IFCHR | 0o600, 0x0101))

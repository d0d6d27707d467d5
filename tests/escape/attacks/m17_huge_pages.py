# M-17 (python): huge pages, which come from a pool of the host's that no memory limit covers: mmap, memfd
# Where the host keeps none, the kernel would refuse as well, in other words.
# expect: EINVAL EINVAL
# without: seccomp
import mmap
import os

from attack import attempt

flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x40000
print(attempt(lambda: mmap.mmap(-1, 2 << 20, flags=flags)), attempt(os.memfd_create, "huge", 4))

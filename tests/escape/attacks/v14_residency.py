# V-14 (python): which pages of shared files are in memory, and so what others read: mincore, cachestat, RWF_NOWAIT
# mincore tells the truth about own files only, else "all of them": the kernel's rule, without a switch. What the time
# of a read tells is not closed: SECURITY.md.
# expect: [0] [1] ENOSYS ENOTSUP
# without: seccomp -> exited 0: [[]0] [[]1] EFAULT ENOTSUP
import ctypes
import errno
import mmap
import os

from attack import attempt, libc

PAGES = 4096


def resident(path):
    pages = min(PAGES, os.path.getsize(path) >> 12)  # node is small where most of it is a library
    area = mmap.mmap(os.open(path, os.O_RDONLY), pages << 12, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ | mmap.PROT_WRITE)
    start = ctypes.addressof(ctypes.c_char.from_buffer(area))
    found = (ctypes.c_ubyte * pages)()
    assert libc.mincore(ctypes.c_void_p(start), ctypes.c_size_t(pages << 12), found) == 0
    return sorted({one & 1 for one in found})


with open("own", "wb") as own:
    own.truncate(PAGES << 12)
shared = os.open("/usr/bin/node", os.O_RDONLY)
libc.syscall(ctypes.c_long(451), shared, 0, 0, 0)
print(resident("own"), resident("/usr/bin/node"), errno.errorcode[ctypes.get_errno()],
      attempt(os.preadv, shared, [bytearray(4096)], 0, os.RWF_NOWAIT))

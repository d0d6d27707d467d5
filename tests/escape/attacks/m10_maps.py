# M-10 (python): 70,000 mappings of a page each, of protections that differ, so that none are joined
# The bound is the kernel's for every process (vm.max_map_count); the mappings are charged to the run.
# expect: ENOMEM True
import ctypes
import errno

libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_long
count = 0
while count < 70_000 and libc.mmap(None, ctypes.c_long(4096), 1 + 2 * (count % 2), 0x22, -1, 0) != -1:
    count += 1
print(errno.errorcode.get(ctypes.get_errno()), 60_000 < count < 70_000)

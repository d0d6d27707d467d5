# K-23 (python): a call of the 32-bit kind, by int 0x80, whose numbers mean other calls
# outcome: signalled 31
# expect:
# Two layers of the same kind, as the zygote has a filter, too.
# without: seccomp + zygote-filter -> exited 0: True
import ctypes
import mmap
import os

code = mmap.mmap(-1, 4096, prot=7)
code.write(bytes.fromhex("53b814000000cd805bc3"))  # getpid()
function = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(code)))
print(function() == os.getpid())

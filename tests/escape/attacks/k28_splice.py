# K-28 (python): splice, tee, vmsplice: page-cache pages in pipes
# expect: ENOSYS ENOSYS ENOSYS
# without: seccomp
import ctypes
import os
import struct

from attack import call

first, second = os.pipe(), os.pipe()
os.write(first[1], b"x" * 64)
memory = ctypes.create_string_buffer(64)
print(call("splice", first[0], 0, second[1], 0, 1, 0), call("tee", first[0], second[1], 1, 0),
      call("vmsplice", first[1], struct.pack("=QQ", ctypes.addressof(memory), 64), 1, 0))

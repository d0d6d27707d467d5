# K-21 (python): a seccomp filter of one's own with a listener, to answer calls in the kernel's stead
# expect: EPERM EPERM
# without: seccomp
import ctypes
import struct

from attack import call

allow = ctypes.create_string_buffer(struct.pack("=HBBI", 6, 0, 0, 0x7FFF0000))
program = struct.pack("=H6xQ", 1, ctypes.addressof(allow))
print(call("seccomp", 1, 8, program), call("seccomp", 1, 0, program))

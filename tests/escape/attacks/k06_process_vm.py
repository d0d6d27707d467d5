# K-06 (python): reading the memory of another process
# expect: EPERM -
# without: seccomp
import ctypes
import os
import time

from attack import call

secret = ctypes.create_string_buffer(b"secret", 64)
child = os.fork()
if child == 0:
    time.sleep(60)
into = ctypes.create_string_buffer(64)


def vector(address):
    return (ctypes.c_void_p * 2)(address, 64)


print(call("process_vm_readv", child, vector(ctypes.addressof(into)), 1,
           vector(ctypes.addressof(secret)), 1, 0), into.value.decode() or "-")
os.kill(child, 9)

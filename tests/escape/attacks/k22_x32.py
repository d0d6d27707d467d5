# K-22 (python): calls of the x32 kind, which a list by number may forget; the one thing that kills
# outcome: signalled 31
# expect:
# Two layers of the same kind, as the zygote has a filter, too.
# without: seccomp + zygote-filter -> exited 0:*
import ctypes

ctypes.CDLL(None).syscall(ctypes.c_long(0x40000000 | 39))

# P-18 (python): a wild pointer in the program itself
# How it ends is the kernel's to say; p18_crash.py has the core file, which is ours to prevent.
# outcome: signalled 11
# expect:
import ctypes

ctypes.string_at(0)

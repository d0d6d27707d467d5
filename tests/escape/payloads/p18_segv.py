# P-18: a wild pointer
# expect: signalled 11
# outcome: yes
import ctypes
ctypes.string_at(0)

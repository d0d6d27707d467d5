# P-18 (python): a wild pointer in the program itself
# outcome: signalled 11
# expect:
import ctypes

ctypes.string_at(0)

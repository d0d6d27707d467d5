import ctypes
import ctypes.util

libc = ctypes.CDLL(ctypes.util.find_library("c"))
assert libc.abs(-5) == 5
maths = ctypes.CDLL(ctypes.util.find_library("m"))
maths.sqrt.restype, maths.sqrt.argtypes = ctypes.c_double, [ctypes.c_double]
assert maths.sqrt(9.0) == 3.0
compare = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_int), ctypes.POINTER(ctypes.c_int))
numbers = (ctypes.c_int * 4)(3, 1, 4, 2)
libc.qsort(numbers, 4, ctypes.sizeof(ctypes.c_int), compare(lambda a, b: a[0] - b[0]))
assert list(numbers) == [1, 2, 3, 4]

print("ok")

# K-17 (python): futexes with priority inheritance: LOCK, UNLOCK, TRYLOCK, WAIT_REQUEUE, CMP_REQUEUE, LOCK2
# expect: ENOSYS ENOSYS ENOSYS ENOSYS ENOSYS ENOSYS
# without: seccomp
import ctypes

from attack import call

word = ctypes.byref(ctypes.c_int(0))
print(*[call("futex", word, operation, 0, 0, word, 0) for operation in (6, 7, 8, 11, 12, 13)])

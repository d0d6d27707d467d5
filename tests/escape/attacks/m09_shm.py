# M-09 (python): a gigabyte of System V shared memory
# expect: ENOSYS
# without: seccomp
from attack import call

print(call("shmget", 0, 1 << 30, 0o1600))

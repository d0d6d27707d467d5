# K-31 (python): modify_ldt: reading it
# expect: ENOSYS
# without: seccomp
from attack import call

print(call("modify_ldt", 0, bytes(64), 64))

# K-04 (python): setns into the own network namespace, and by a descriptor that is none
# The first needs a capability too; the second shows who answers.
# expect: EPERM EPERM
# without: seccomp
import os

from attack import call

print(call("setns", os.open("/proc/self/ns/net", os.O_RDONLY), 0), call("setns", -1, 0))

# K-19 (python): switching the randomisation of addresses off
# expect: EPERM
# without: seccomp
from attack import call

print(call("personality", 0x0040000))

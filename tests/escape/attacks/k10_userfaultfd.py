# K-10 (python): userfaultfd, for user mode only, as kernels give it to everybody
# expect: ENOSYS
# without: seccomp
from attack import call

print(call("userfaultfd", 1))

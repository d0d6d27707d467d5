# K-01 (python): clone3, whose flags lie in memory where no filter sees them
# expect: ENOSYS
# without: seccomp
from attack import call

print(call("clone3", 0, 0))

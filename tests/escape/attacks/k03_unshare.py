# K-03 (python): unshare of each kind of namespace; user last
# expect: EPERM EPERM EPERM EPERM EPERM EPERM EPERM EPERM
# without: seccomp
from attack import call

SPACES = (0x00020000, 0x02000000, 0x04000000, 0x08000000, 0x20000000, 0x40000000, 0x80, 0x10000000)

print(*[call("unshare", flag) for flag in SPACES])

# Z-13 (python): whose ids the program sees: process, parent, user, group
# expect: 2 0 1000 1000 1000 []
# An ordinary user cannot drop groups.
# rootless: exited 0: 2 0 1000 1000 1000 [1000]
# without: pidns
# without: userns + caps
import os

print(os.getpid(), os.getppid(), os.getuid(), os.geteuid(), os.getgid(), os.getgroups())

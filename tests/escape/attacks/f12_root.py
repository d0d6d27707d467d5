# F-12 (python): writing to what the system is made of
# Three layers: the root cannot be written to; Landlock says so again; and what is there belongs to nobody of the
# run's namespace, which is the kernel's own rule.
# expect: EROFS EROFS EROFS EROFS EROFS EROFS EROFS ENOENT
# without: readonly -> exited 0: EACCES EACCES EACCES EACCES EACCES EACCES *
# without: readonly + landlock -> exited 0: ok EACCES EACCES EACCES EACCES EACCES *
from attack import attempt

places = ("/x", "/usr/x", "/etc/x", "/lib/x", "/usr/lib/docle/bootstrap.py", "/usr/bin/python3", "/dev/x")
print(*[attempt(open, place, "ab") for place in places], attempt(open, "/proc/sys/kernel/core_pattern", "w"))

# F-12 (python): writing to what the system is made of
# Two layers that give the same answer, and no switch for the second: Landlock, and read-only mounts.
# expect: EROFS EROFS EROFS EROFS EROFS EROFS EROFS ENOENT
from attack import attempt

places = ("/x", "/usr/x", "/etc/x", "/lib/x", "/usr/lib/docle/bootstrap.py", "/usr/bin/python3", "/dev/x")
print(*[attempt(open, place, "ab") for place in places], attempt(open, "/proc/sys/kernel/core_pattern", "w"))

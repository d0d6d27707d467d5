# F-12: writing to what the system is made of
# expect: 0
import os
written = 0
for name in ("/x", "/usr/x", "/etc/x", "/lib/x", "/dev/x", "/proc/sys/x", "/usr/lib/docle/x"):
    try:
        open(name, "w")
        written += 1
    except OSError:
        pass
print(written)

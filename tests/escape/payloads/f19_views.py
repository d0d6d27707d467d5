# F-19: what /proc, /sys and /dev show
# expect: ['2'] False ['fd', 'full', 'null', 'random', 'shm', 'stderr', 'stdin', 'stdout', 'urandom', 'zero']
# without: mounts
import os
print(sorted(name for name in os.listdir("/proc") if name.isdigit()), os.path.exists("/sys/kernel"), sorted(os.listdir("/dev")))

# F-19 (python): what /proc, /sys and /dev show
# expect: 2 False self thread-self fd full null random shm stderr stdin stdout urandom zero
# without: pidns
import os

print(*sorted(name for name in os.listdir("/proc") if name.isdigit()), os.path.exists("/sys"),
      *sorted(name for name in os.listdir("/proc") if not name.isdigit()),
      *sorted(os.listdir("/dev")))

# P-23 (python): children that are never waited for, of which 200 would do
# expect: BlockingIOError 31
# hits: processes
# limits: processes=32
# without: cgroup
import os

count = 0
try:
    while count < 200:
        if os.fork() == 0:
            os._exit(0)
        count += 1
    print(count)
except OSError as error:
    print(type(error).__name__, count)

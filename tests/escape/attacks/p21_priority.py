# P-21 (python): real-time scheduling, a better nice value, a better class of disk access
# expect: EPERM EACCES EPERM
# without: seccomp
import os

from attack import attempt, call

print(attempt(os.sched_setscheduler, 0, os.SCHED_FIFO, os.sched_param(1)),
      attempt(os.setpriority, os.PRIO_PROCESS, 0, -5), call("ioprio_set", 1, 0, 2 << 13))

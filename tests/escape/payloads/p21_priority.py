# P-21: real-time scheduling and a better nice value
# expect: EPERM EACCES
import errno, os
def attempt(what):
    try:
        what()
        return "ok"
    except OSError as error:
        return errno.errorcode[error.errno]
print(attempt(lambda: os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))),
      attempt(lambda: os.setpriority(os.PRIO_PROCESS, 0, -5)))

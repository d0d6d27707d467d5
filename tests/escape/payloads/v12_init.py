# V-12: killing the init of the slot, or the zygote
# expect: EPERM ESRCH
import errno, os
def attempt(pid):
    try:
        os.kill(pid, 9)
        return "ok"
    except OSError as error:
        return errno.errorcode[error.errno]
print(attempt(1), attempt(3000000))

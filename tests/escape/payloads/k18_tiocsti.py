# K-18: typing into a terminal
# expect: ENOTTY ENOTTY
import errno, fcntl
def attempt(request):
    try:
        fcntl.ioctl(0, request, b"x")
        return "ok"
    except OSError as error:
        return errno.errorcode[error.errno]
print(attempt(0x5412), attempt(0x541C))

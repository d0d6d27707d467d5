# F-11: a file of an exabyte
# expect: EFBIG
# without: rlimits
import errno
try:
    open("f", "wb").truncate(1 << 60)
    print("ok")
except OSError as error:
    print(errno.errorcode[error.errno])

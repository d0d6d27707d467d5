# F-13: device nodes
# expect: EPERM EPERM
import errno, os, stat
def attempt(mode, device):
    try:
        os.mknod(f"/tmp/{device}", mode | 0o600, device)
        return "ok"
    except OSError as error:
        return errno.errorcode[error.errno]
print(attempt(stat.S_IFBLK, 0x0100), attempt(stat.S_IFCHR, 0x0101))

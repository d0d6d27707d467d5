# K-14: netlink protocols other than route
# expect: EAFNOSUPPORT
# without: seccomp
import errno, socket
seen = set()
for protocol in range(1, 23):
    try:
        socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, protocol)
        seen.add("ok")
    except OSError as error:
        seen.add(errno.errorcode[error.errno])
print(*sorted(seen))

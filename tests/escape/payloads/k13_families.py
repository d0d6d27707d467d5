# K-13: socket families other than unix, IP and netlink
# expect: EAFNOSUPPORT
# without: seccomp
import errno, socket
seen = set()
for family in [*range(3, 10), *range(11, 16), *range(17, 45)]:
    try:
        socket.socket(family, socket.SOCK_STREAM, 0)
        seen.add(f"{family} ok")
    except OSError as error:
        seen.add(errno.errorcode[error.errno])
print(*sorted(seen))

# K-13 (python): socket families but unix, IPv4, IPv6 and netlink, of each type
# expect: EAFNOSUPPORT
# without: seccomp
import socket

from attack import attempt

families = [one for one in range(3, 46) if one not in (10, 16)]
print(*sorted({attempt(socket.socket, family, kind, 0) for family in families for kind in (1, 2, 3, 5)}))

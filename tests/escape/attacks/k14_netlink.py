# K-14 (python): netlink protocols but route
# expect: EAFNOSUPPORT
# without: seccomp
import socket

from attack import attempt

print(*sorted({attempt(socket.socket, socket.AF_NETLINK, socket.SOCK_RAW, one) for one in range(1, 23)}))

# V-06 (python): the sockets of virtual machines: hypervisor, own machine, host
# expect: EAFNOSUPPORT EAFNOSUPPORT EAFNOSUPPORT EAFNOSUPPORT
# without: seccomp
import socket

from attack import attempt


def reach(cid):
    with socket.socket(40, socket.SOCK_STREAM) as one:
        one.settimeout(1)
        one.connect((cid, 1024))


print(*[attempt(reach, cid) for cid in (0, 1, 2, 3)])

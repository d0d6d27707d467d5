# K-30 (python): protocols of IP that make the kernel load modules: SCTP, UDP-Lite, L2TP, MPTCP, DCCP
# expect: EAFNOSUPPORT EAFNOSUPPORT EAFNOSUPPORT EAFNOSUPPORT EAFNOSUPPORT EAFNOSUPPORT
# without: seccomp
import socket

from attack import attempt

wanted = ((1, 132), (2, 136), (2, 115), (1, 262), (5, 132), (6, 33))
print(*[attempt(socket.socket, socket.AF_INET, kind, protocol) for kind, protocol in wanted])

# N-09 (python): packet sockets
# expect: EAFNOSUPPORT
# without: seccomp
import socket

from attack import attempt

print(attempt(socket.socket, socket.AF_PACKET, socket.SOCK_RAW, 0x0300))

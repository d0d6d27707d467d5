# N-03 (python): ICMP: raw, and by a ping socket
# expect: EAFNOSUPPORT EACCES
# without: seccomp
import socket

from attack import attempt

print(attempt(socket.socket, socket.AF_INET, socket.SOCK_RAW, 1),
      attempt(socket.socket, socket.AF_INET, socket.SOCK_DGRAM, 1))

# K-16 (python): upper-layer protocols of TCP, which load kernel modules
# expect: ENOPROTOOPT
# without: seccomp
import socket

from attack import attempt

print(attempt(socket.socket().setsockopt, 6, 31, b"tls"))

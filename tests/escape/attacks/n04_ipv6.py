# N-04 (python): IPv6 to the world
# Without the run's own network namespace it is in that of the service, which has no way out either.
# expect: ENETUNREACH
import socket

from attack import attempt

one = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
print(attempt(one.connect, ("2001:db8::1", 443)))

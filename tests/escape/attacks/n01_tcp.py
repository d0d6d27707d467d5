# N-01 (python): TCP to the world
# Without the run's own network namespace it is in that of the service, which has no way out either.
# expect: ENETUNREACH
import socket

from attack import attempt

print(attempt(socket.create_connection, ("198.51.100.1", 443)))

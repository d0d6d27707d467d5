# N-02 (python): UDP to the world: sending, and connecting to see one's own address
# Without the run's own network namespace it is in that of the service, which has no way out either.
# expect: ENETUNREACH ENETUNREACH
import socket

from attack import attempt

one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
print(attempt(one.sendto, b"x", ("198.51.100.1", 53)), attempt(one.connect, ("198.51.100.1", 53)))

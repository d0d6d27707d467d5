# N-02 (python): UDP to the world: sending, and connecting to see one's own address
# Two layers: without a network namespace of its own a run is in that of the service, which has no way out either.
# Without both it is in the launcher's, in this test one of fake hosts.
# expect: ENETUNREACH ENETUNREACH
# without: netns + service-netns -> exited 0: ok ok
import socket

from attack import attempt

one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
print(attempt(one.sendto, b"x", ("198.51.100.1", 53)), attempt(one.connect, ("198.51.100.1", 53)))

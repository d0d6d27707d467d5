# N-01 (python): TCP to the world
# Two layers: without a network namespace of its own a run is in that of the service, which has no way out either.
# Without both it is in the launcher's, in this test one of fake hosts.
# expect: ENETUNREACH
# without: netns + service-netns -> exited 0: ok
import socket

from attack import attempt

print(attempt(socket.create_connection, ("198.51.100.1", 443)))

# N-04 (python): IPv6 to the world
# Two layers: without a network namespace of its own a run is in that of the service, which has no way out either.
# Without both it is in the launcher's, in this test one of fake hosts.
# expect: ENETUNREACH
# without: netns + service-netns -> exited 0: ok
import socket

from attack import attempt

one = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
print(attempt(one.connect, ("2001:db8::1", 443)))

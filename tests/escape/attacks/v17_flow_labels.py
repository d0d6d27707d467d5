# V-17 (python): flow labels of IPv6, which linger for a minute in a table of the whole host: making one, and what the
# run before left
# expect: ENOPROTOOPT 0
# twice: same slot
# without: seccomp -> exited 0: ok 1
import socket
import struct

from attack import attempt

with open("/proc/self/net/ip6_flowlabel") as table:
    left = len(table.read().splitlines()) - 1
one = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
wish = socket.inet_pton(socket.AF_INET6, "2001:db8::77") + struct.pack(">I", 0xABC01) + struct.pack(
    "=BBHHHI", 0, 255, 1, 60, 60, 0)
print(attempt(one.setsockopt, 41, 32, wish), left)

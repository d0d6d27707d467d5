# M-14 (python): 500 pairs of Unix sockets, all of them full
# outcome: memory 9
# expect:
# hits: memory
# limits: memory_mb=64
# without: cgroup -> exited 0: 1000
import socket

both = []
for _ in range(500):
    both += socket.socketpair()
for one in both:
    one.setblocking(False)
    try:
        while True:
            one.send(bytes(1 << 16))
    except BlockingIOError:
        pass
print(len(both))

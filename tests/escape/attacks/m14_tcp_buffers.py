# M-14 (python): TCP connections on the loopback, never read: of 300 MB that wait in them, how many are more than
# twice the run's memory?
# expect: 0
# limits: memory_mb=64
# v2: memory 9: ; memory
# Control groups v2 charge them to the run; v1 has a limit of its own for them, which the switch is for.
# without: socket-cap -> exited 0: [1-9]*
import socket

server = socket.create_server(("127.0.0.1", 8080), backlog=64)
total, both = 0, []
while len(both) < 400 and total < 300 << 20:
    client = socket.create_connection(("127.0.0.1", 8080))
    both += [client, server.accept()[0]]
    client.setblocking(False)
    try:
        while total < 300 << 20:
            total += client.send(bytes(1 << 16))
    except BlockingIOError:
        pass
print(max(0, (total >> 20) - 160))

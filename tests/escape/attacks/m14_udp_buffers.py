# M-14 (python): datagrams to sockets that never read them: of 300 MB sent, how many wait beyond twice the run's memory?
# expect: 0
# limits: memory_mb=64
# Control groups v2 charge them to the run; v1 has a limit of its own for them, which the switch is for.
# without: socket-cap -> exited 0: [1-9]*
import socket

all_of_them = []
for _ in range(60):
    one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
    one.bind(("127.0.0.1", 0))
    all_of_them.append(one)
    sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    for _ in range(84):
        sender.sendto(bytes(60000), one.getsockname())
waiting = 0
for one in all_of_them:
    one.setblocking(False)
    try:
        while True:
            waiting += len(one.recv(1 << 16))
    except BlockingIOError:
        pass
print(max(0, (waiting >> 20) - 160))

# V-08 (python): traces of the network use of the run before, in a slot that is used twice
# expect: 0 0 pong
# twice: same slot
# without: scrub
import socket
import threading

counters = [line for line in open("/proc/self/net/snmp") if line.startswith(("Tcp:", "Udp:"))]
seen = sum(int(word) for line in counters[1::2] for word in line.split()[5:])
connections = len(open("/proc/self/net/tcp").readlines()) - 1
server = socket.create_server(("127.0.0.1", 8080), reuse_port=False)
threading.Thread(target=lambda: server.accept()[0].sendall(b"pong")).start()
with socket.create_connection(("127.0.0.1", 8080)) as client:
    print(seen, connections, client.recv(4).decode())

import socket
import socketserver
import threading


class Echo(socketserver.StreamRequestHandler):
    def handle(self):
        self.wfile.write(self.rfile.readline()[::-1])


with socketserver.TCPServer(("127.0.0.1", 0), Echo) as server:
    threading.Thread(target=server.handle_request).start()
    with socket.create_connection(server.server_address) as client:
        client.sendall(b"abc\n")
        assert client.recv(10) == b"\ncba"
with socket.socket(socket.AF_UNIX) as listening:
    listening.bind("/tmp/socket")
    listening.listen()
    with socket.socket(socket.AF_UNIX) as client:
        client.connect("/tmp/socket")
with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as udp:
    udp.bind(("::1", 0))
    udp.sendto(b"self", udp.getsockname())
    assert udp.recv(10) == b"self"
assert socket.gethostbyname("localhost") == "127.0.0.1" and socket.gethostname() == "docle"

print("ok")

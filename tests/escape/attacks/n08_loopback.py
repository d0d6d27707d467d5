# N-08 (python): not an attack: a server and its client in one run
# What must work; there is nothing to switch off.
# expect: pong
# twice: same slot
import socket
import threading

server = socket.create_server(("127.0.0.1", 8080))
threading.Thread(target=lambda: server.accept()[0].sendall(b"pong")).start()
print(socket.create_connection(("127.0.0.1", 8080)).recv(4).decode())

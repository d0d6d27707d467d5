# N-08: a server and a client of one run
# expect: pong
# twice: yes
import socket, threading
server = socket.create_server(("127.0.0.1", 8080))
def serve():
    connection, _ = server.accept()
    connection.sendall(b"pong")
    connection.close()
threading.Thread(target=serve).start()
print(socket.create_connection(("127.0.0.1", 8080)).recv(10).decode())

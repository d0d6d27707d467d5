import select
import selectors
import socket

one, other = socket.socketpair()
with selectors.DefaultSelector() as selector:
    selector.register(one, selectors.EVENT_READ)
    other.send(b"x")
    assert [key.fileobj for key, _ in selector.select(5)] == [one]
poll = select.epoll()
poll.register(one, select.EPOLLIN)
assert poll.poll(5) == [(one.fileno(), select.EPOLLIN)]
assert select.select([one], [], [], 5)[0] == [one]

print("ok")

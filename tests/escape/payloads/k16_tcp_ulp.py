# K-16: kernel TLS by TCP_ULP
# expect: ENOPROTOOPT
# without: seccomp
import errno, socket
try:
    socket.socket().setsockopt(6, 31, b"tls")
    print("ok")
except OSError as error:
    print(errno.errorcode[error.errno])

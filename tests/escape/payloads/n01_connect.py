# N-01, N-02, N-04: connections to the world
# expect: ENETUNREACH ENETUNREACH ENETUNREACH
import errno, socket
def attempt(family, kind, address):
    try:
        with socket.socket(family, kind) as s:
            s.connect(address)
        return "ok"
    except OSError as error:
        return errno.errorcode[error.errno]
print(attempt(socket.AF_INET, socket.SOCK_STREAM, ("198.51.100.1", 443)),
      attempt(socket.AF_INET, socket.SOCK_DGRAM, ("198.51.100.1", 53)),
      attempt(socket.AF_INET6, socket.SOCK_STREAM, ("2001:db8::1", 443)))

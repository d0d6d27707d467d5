# Z-19 (python): playing the zygote: loading its addon again and serving, with a launcher of one's own at the other end
# It runs with a run's rights, whatever it does; what must not suffer is its zygote, which the host check asks again.
# expect: refused sent
import importlib.util
import os
import socket
import struct

os.open("/dev/null", os.O_RDONLY)  # has the number 3
ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
os.dup2(theirs.fileno(), 3)
spec = importlib.util.spec_from_file_location("_docle", "/usr/lib/docle/_docle.abi3.so")
addon = importlib.util.module_from_spec(spec)
spec.loader.exec_module(addon)
sent = "sent" if ours.send(struct.pack("=BBHI", 1, 64, 0, 8) + bytes(8)) else ""
try:
    addon.serve(print, None, print, {}, [], "")
    print("served", sent)
except RuntimeError:
    print("refused", sent)

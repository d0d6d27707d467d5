import mmap

with open("mapped", "w+b") as file:
    file.truncate(8192)
    with mmap.mmap(file.fileno(), 0) as view:
        view[4096:4101] = b"hello"
        view.flush()
        assert view.find(b"hello") == 4096
with mmap.mmap(-1, 4096) as anonymous:
    anonymous.write(b"x")

print("ok")

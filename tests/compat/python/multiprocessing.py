import multiprocessing
from multiprocessing import shared_memory


def double(n):
    return 2 * n


def fill(name, lock, total):
    memory = shared_memory.SharedMemory(name)
    with lock:
        memory.buf[0] += 1
        total.value += 1
    memory.close()


if __name__ == "__main__":
    with multiprocessing.Pool(2) as pool:
        assert pool.map(double, range(5)) == [0, 2, 4, 6, 8]
    for method in ("fork", "spawn", "forkserver"):
        context = multiprocessing.get_context(method)
        memory = shared_memory.SharedMemory(create=True, size=16)
        lock, total = context.Lock(), context.Value("i", 0)
        children = [context.Process(target=fill, args=(memory.name, lock, total)) for _ in range(2)]
        for child in children:
            child.start()
        for child in children:
            child.join()
        assert [child.exitcode for child in children] == [0, 0] and memory.buf[0] == total.value == 2
        memory.close()
        memory.unlink()

print("ok")

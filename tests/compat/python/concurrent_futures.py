from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor, as_completed


def square(n):
    return n * n


if __name__ == "__main__":
    with ThreadPoolExecutor(4) as pool:
        assert sorted(f.result() for f in as_completed(pool.submit(square, n) for n in range(5))) == [0, 1, 4, 9, 16]
    with ProcessPoolExecutor(2) as pool:
        assert list(pool.map(square, range(4))) == [0, 1, 4, 9]

print("ok")

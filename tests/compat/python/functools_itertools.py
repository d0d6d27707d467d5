import functools
import itertools
import operator


@functools.lru_cache
def fibonacci(n):
    return n if n < 2 else fibonacci(n - 1) + fibonacci(n - 2)


assert fibonacci(80) == 23416728348467685
assert functools.reduce(operator.mul, range(1, 6)) == 120
assert list(itertools.islice(itertools.count(3), 2)) == [3, 4]
assert len(list(itertools.permutations("abc"))) == 6
assert {k: len(list(g)) for k, g in itertools.groupby("aabbb")} == {"a": 2, "b": 3}

print("ok")

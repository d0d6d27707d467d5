from collections import ChainMap, Counter, OrderedDict, defaultdict, deque, namedtuple

assert Counter("abca").most_common(1) == [("a", 2)]
queue = deque([1, 2, 3], maxlen=2)
queue.appendleft(0)
assert list(queue) == [0, 2]
lists = defaultdict(list)
lists["a"].append(1)
assert lists == {"a": [1]}
assert namedtuple("Point", "x y")(1, 2).y == 2
assert ChainMap({"a": 1}, {"b": 2})["b"] == 2
assert list(OrderedDict(b=1, a=2)) == ["b", "a"]

print("ok")

import gc
import resource
import weakref


class Node:
    pass


node = Node()
node.itself = node
gone = weakref.ref(node)
del node
assert gc.collect() >= 1 and gone() is None
assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss > 0
assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] >= 256

print("ok")

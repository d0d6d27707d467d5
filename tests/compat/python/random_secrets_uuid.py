import random
import secrets
import uuid

random.seed(1)
assert random.random() == 0.13436424411240122
random.seed()
assert sorted(random.sample(range(10), 10)) == list(range(10))
assert len(secrets.token_hex(8)) == 16 and len({uuid.uuid4() for _ in range(100)}) == 100
assert uuid.uuid5(uuid.NAMESPACE_DNS, "python.org") == uuid.UUID("886313e1-3b8a-5372-9b90-0c9aee199e5d")
assert uuid.uuid1().version == 1

print("ok")

import dataclasses


@dataclasses.dataclass(order=True, frozen=True)
class Point:
    x: int
    y: int = 0
    tags: list = dataclasses.field(default_factory=list, compare=False)


assert Point(1) < Point(2) and dataclasses.asdict(Point(1)) == {"x": 1, "y": 0, "tags": []}
try:
    Point(1).x = 3
    raise AssertionError("frozen, and yet it changed")
except dataclasses.FrozenInstanceError:
    pass

print("ok")

import enum


class Colour(enum.Enum):
    RED = enum.auto()
    BLUE = enum.auto()


class Right(enum.Flag):
    READ = 1
    WRITE = 2


assert Colour(1) is Colour.RED and [c.name for c in Colour] == ["RED", "BLUE"]
assert Right.READ in (Right.READ | Right.WRITE)

print("ok")

import typing


class Named(typing.NamedTuple):
    name: str
    age: int = 3


class Sized(typing.Protocol):
    def __len__(self) -> int: ...


def function(a: int, b: "typing.Optional[str]" = None) -> typing.List[int]: ...


assert Named("a").age == 3
assert typing.get_type_hints(function)["b"] == typing.Optional[str]
assert typing.get_args(typing.Dict[str, int]) == (str, int)

print("ok")

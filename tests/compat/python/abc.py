import abc


class Shape(abc.ABC):
    @abc.abstractmethod
    def area(self): ...


class Square(Shape):
    def area(self):
        return 4


try:
    Shape()
    raise AssertionError("an abstract class was made")
except TypeError:
    pass
assert Square().area() == 4

print("ok")

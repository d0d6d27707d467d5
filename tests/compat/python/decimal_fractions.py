from decimal import Decimal, getcontext
from fractions import Fraction

assert Decimal("0.1") + Decimal("0.2") == Decimal("0.3")
getcontext().prec = 50
assert str(Decimal(2).sqrt()).startswith("1.41421356237309504880168872420969807856967187537")
assert Fraction(1, 3) + Fraction(1, 6) == Fraction(1, 2)

print("ok")

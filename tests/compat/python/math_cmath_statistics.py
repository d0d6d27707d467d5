import cmath
import math
import statistics

assert math.comb(10, 3) == 120 and math.isclose(math.pi, cmath.phase(-1))
assert math.gcd(12, 18) == 6 and math.isqrt(10**40) == 10**20
assert statistics.mean([1, 2, 3]) == 2 and statistics.median([1, 9, 5]) == 5
assert round(statistics.stdev([2, 4, 4, 4, 5, 5, 7, 9]), 3) == 2.138

print("ok")

import time

before, start = time.monotonic_ns(), time.process_time()
time.sleep(0.01)
assert time.monotonic_ns() - before >= 10_000_000 and time.process_time() >= start
assert time.strftime("%Y-%m-%d", time.gmtime(0)) == "1970-01-01"
assert time.strptime("29 Feb 2024", "%d %b %Y").tm_yday == 60
assert abs(time.time() - time.clock_gettime(time.CLOCK_REALTIME)) < 60

print("ok")

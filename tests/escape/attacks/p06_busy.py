# P-06 (python): a loop
# outcome: timeout 9
# expect:
# limits: timeout_ms=400
while True:
    pass

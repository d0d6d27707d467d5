# M-02: touching memory until the end
# expect: memory 9
# outcome: yes
x = []
while True:
    x.append(bytearray(1 << 20))

# K-20 (python): prctl: SET_MM, SET_SECCOMP, SET_PTRACER, SET_SECUREBITS, CAPBSET_DROP
# expect: EPERM EPERM EPERM EPERM EPERM
# without: seccomp
from attack import call

print(*[call("prctl", option, argument, 0, 0, 0)
        for option, argument in ((35, 1), (22, 2), (0x59616D61, 1), (28, 0), (24, 0))])

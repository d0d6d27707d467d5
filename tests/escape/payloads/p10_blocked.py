# P-10: waiting with every signal blocked
# expect: timeout 9
# outcome: yes
# timeout: 400
import signal
signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))
signal.pause()

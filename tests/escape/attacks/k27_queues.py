# K-27 (python): System V shared memory, semaphores, queues, and POSIX queues
# expect: ENOSYS ENOSYS ENOSYS ENOSYS
# without: seccomp
from attack import call

print(call("shmget", 1, 4096, 0o1600), call("semget", 1, 1, 0o1600), call("msgget", 1, 0o1600),
      call("mq_open", b"mail", 0o102, 0o600, 0))

import queue
import threading

work, done = queue.Queue(), queue.PriorityQueue()


def worker():
    while (item := work.get()) is not None:
        done.put(-item)
        work.task_done()


threads = [threading.Thread(target=worker) for _ in range(8)]
for thread in threads:
    thread.start()
for number in range(100):
    work.put(number)
work.join()
for thread in threads:
    work.put(None)
for thread in threads:
    thread.join()
assert [done.get() for _ in range(100)] == list(range(-99, 1))
local = threading.local()
local.value = 1
assert threading.main_thread() is threading.current_thread() and threading.active_count() == 1
timer = threading.Timer(0.01, local.__setattr__, ("value", 2))
timer.start()
timer.join()
barrier, event = threading.Barrier(2), threading.Event()
threading.Thread(target=lambda: (barrier.wait(), event.set())).start()
barrier.wait()
assert event.wait(30)

print("ok")

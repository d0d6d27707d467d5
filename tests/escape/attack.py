"""Sent along with every Python attack: system calls by name, and their outcome in one word."""

import ctypes
import errno
import os

libc = ctypes.CDLL(None, use_errno=True)

# x86-64. By number: an attacker would not ask the C library either.
CALLS = dict(
    shmget=29, clone=56, ptrace=101, setuid=105, setgroups=116, setresuid=117, capset=126,
    personality=135, modify_ldt=154, prctl=157, pivot_root=155, mount=165, umount2=166, futex=202,
    mq_open=240, add_key=248, request_key=249, keyctl=250, ioprio_set=251, unshare=272, splice=275,
    tee=276, vmsplice=278, perf_event_open=298, fanotify_init=300, name_to_handle_at=303,
    open_by_handle_at=304, setns=308, process_vm_readv=310, kcmp=312, seccomp=317, bpf=321,
    userfaultfd=323, io_uring_setup=425, io_uring_enter=426, io_uring_register=427, open_tree=428,
    fsopen=430, clone3=435, pidfd_open=434, pidfd_getfd=438, mlockall=151, mlock=149,
    semget=64, msgget=68, prlimit64=302, mincore=27)


def raw(name, *arguments):
    """The result, or the negative errno."""
    words = [ctypes.c_long(one) if isinstance(one, int) else one for one in arguments]
    result = libc.syscall(ctypes.c_long(CALLS[name]), *words)
    return -ctypes.get_errno() if result == -1 else result


def call(name, *arguments):
    result = raw(name, *arguments)
    return errno.errorcode[-result] if result < 0 else "ok"


def attempt(function, *arguments):
    try:
        function(*arguments)
        return "ok"
    except OSError as error:
        return errno.errorcode.get(error.errno, type(error).__name__)
    except (ValueError, MemoryError) as error:
        return type(error).__name__


def in_child(function):
    """The exit status of a child that runs function; 0 when it returns."""
    pid = os.fork()
    if pid == 0:
        function()
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

# F-26 (python): what one may write to in /proc/self: the OOM killer's order, the maps of ids, the audit id
# The kernel asks for capabilities which no namespace of ours gives; k25_state.py has those.
# expect: EACCES EPERM EACCES EINVAL EPERM
from attack import attempt


def put(name, text):
    with open(f"/proc/self/{name}", "w") as file:
        file.write(text)


print(attempt(put, "oom_score_adj", "-1000"), attempt(put, "uid_map", "0 0 1"), attempt(put, "setgroups", "allow"),
      attempt(put, "loginuid", "0"), attempt(put, "autogroup", "-10"))

/*
 * Makes a forked interpreter look freshly started for one program: environment, arguments, search
 * path, random numbers. In C because every object that Python code touches has its count written
 * to, and so its page copied: this takes a third of the pages. Internal to the addon.
 */
#ifndef DOCLE_RUNTIMES_PYTHON_START_H
#define DOCLE_RUNTIMES_PYTHON_START_H

#include "runtimes/python/object.h"
#include "zygote/zygote.h"

/* What the child needs of the zygote's objects; owned for the life of the process. */
struct start {
    PyObject *seed;      /* random.Random.seed, called with generator */
    PyObject *generator; /* the module's shared one */
    PyObject *stir;      /* stirs OpenSSL's generators */
    PyObject *data;      /* of os.environ: encoded names and values */
    PyObject *plain;     /* list: the command line of a plain start, without the program */
    PyObject *training;  /* path of the training program */
};

/* In the sealed child. 0, or -1 with a Python error set. stir only where OpenSSL would not notice
 * the fork by itself, that is by the process id. */
int start_reseed(const struct start *start, long zygote_pid);

/* Sets sys.argv, sys.orig_argv, sys.path[0] and the environment. Returns (path, flags, settings) or
 * NULL with a Python error set; settings: 1 when the environment has TZ, 2 when it has names that
 * the interpreter reads at its start. For a run to prepare for: (None, names, settings), where the
 * first name is empty. */
PyObject *start_program(const struct start *start, const struct zygote_run *run);

/* The bytes of a regular file, None when it cannot be read, NULL with a Python error set. */
PyObject *start_read(PyObject *path);

#endif

/*
 * The end of a program, as far as it is the same for nearly all: nothing left to be done, streams
 * to flush, one module to let go of. Where there is more, bootstrap.py does it. Why in C: see
 * start.h. Internal to the addon.
 */
#ifndef DOCLE_RUNTIMES_PYTHON_ENDING_H
#define DOCLE_RUNTIMES_PYTHON_ENDING_H

#include "runtimes/python/object.h"

/* In the zygote: remembers the sizes of containers, and what functions return as numbers. things: a
 * tuple of at most 8. None, or NULL with a Python error set. */
PyObject *ending_watch(PyObject *things);

/* Whether one of them is another now. */
PyObject *ending_changed(void);

/* Flushes sys.stdout and sys.stderr. False when that failed, without an error set: what could not
 * be written is still there, and flushing again fails again. */
PyObject *ending_flush(void);

/* Restores the standard streams and lets go of __main__, so that what only it holds is finalised.
 * last_module: the newest name in sys.modules when the zygote served; collect: gc.collect. None:
 * all done. False: nothing done, as modules were imported since. Else the module __main__, which
 * something still holds. NULL with a Python error set. */
PyObject *ending_drop(PyObject *last_module, PyObject *collect);

#endif

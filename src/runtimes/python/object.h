/* The C interface of Python as the addon uses it: one version for all of its files, and ownership
 * of references by DC_AUTO(py_drop). Internal to the addon. */
#ifndef DOCLE_RUNTIMES_PYTHON_OBJECT_H
#define DOCLE_RUNTIMES_PYTHON_OBJECT_H

#define Py_LIMITED_API 0x03080000
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "base/auto.h"

static inline void py_drop(PyObject *object) /* accepts NULL */
{
    Py_XDECREF(object);
}

DC_AUTO_DEFINE(PyObject *, py_drop)

#endif

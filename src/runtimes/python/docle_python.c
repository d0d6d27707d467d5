/*
 * The extension module _docle: the thin layer between CPython and the fork server. Limited API, so
 * one file serves every Python from 3.8 on. Used by bootstrap.py alone.
 *
 *   serve(reseed) -> (entrypoint, args, env, flags, memory_mb), in a child only; entrypoint is None
 *                    in the training child. reseed() is called in the sealed child.
 *   report(error) prints an uncaught exception as the interpreter would.
 *   finish(code)  ends the process.
 */
#define Py_LIMITED_API 0x03080000
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <stdio.h>

#include "zygote/zygote.h"

#include "base/poison.h"

static void before_fork(void *context)
{
    (void)context;
    PyOS_BeforeFork();
}

static void after_fork_parent(void *context)
{
    (void)context;
    PyOS_AfterFork_Parent();
}

static void after_fork_child(void *context)
{
    (void)context;
    PyOS_AfterFork_Child();
}

static int reseed(void *context)
{
    PyObject *result = PyObject_CallObject(context, NULL);

    if (!result) {
        PyErr_Print();
        return -1;
    }
    Py_DECREF(result);
    return 0;
}

static PyObject *string_list(char *const *strings, size_t count)
{
    PyObject *list = PyList_New((Py_ssize_t)count);

    for (size_t i = 0; list && i < count; i++) {
        PyObject *item = PyUnicode_DecodeFSDefault(strings[i]);

        if (!item) {
            Py_DECREF(list);
            return NULL;
        }
        (void)PyList_SetItem(list, (Py_ssize_t)i, item); /* takes item; the index is good */
    }
    return list;
}

static PyObject *run_tuple(const struct zygote_run *run)
{
    const char *entrypoint = run->training ? NULL : run->entrypoint;
    PyObject *args = string_list(run->args, run->argc);
    PyObject *env = args ? string_list(run->env, run->envc) : NULL;

    if (!env) {
        Py_XDECREF(args);
        return NULL;
    }
    return Py_BuildValue("(zNNII)", entrypoint, args, env, run->flags, run->memory_mb);
}

static PyObject *docle_serve(PyObject *module, PyObject *reseed_callback)
{
    static struct zygote_hooks hooks = {
        .before_fork = before_fork,
        .after_fork_parent = after_fork_parent,
        .after_fork_child = after_fork_child,
        .reseed = reseed,
    };
    struct zygote_run run;
    struct dc_err err;

    (void)module;
    Py_INCREF(reseed_callback); /* for the life of the process */
    hooks.context = reseed_callback;
    if (zygote_serve(&hooks, &run, &err) < 0) {
        PyErr_SetString(PyExc_RuntimeError, err.text);
        return NULL;
    }
    return run_tuple(&run);
}

static PyObject *docle_report(PyObject *module, PyObject *error)
{
    PyObject *trace = PyException_GetTraceback(error);

    (void)module;
    Py_INCREF(Py_TYPE(error));
    Py_INCREF(error);
    PyErr_Restore((PyObject *)Py_TYPE(error), error, trace);
    PyErr_Print();
    Py_RETURN_NONE;
}

static PyObject *docle_finish(PyObject *module, PyObject *code)
{
    long status = PyLong_AsLong(code);

    (void)module;
    if (status == -1 && PyErr_Occurred())
        return NULL;
    (void)fflush(NULL); /* what C code printed through ctypes or an extension */
    zygote_finish((int)status);
}

static PyMethodDef methods[] = {
    {"serve", docle_serve, METH_O, NULL},
    {"report", docle_report, METH_O, NULL},
    {"finish", docle_finish, METH_O, NULL},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "_docle", NULL, -1, methods, NULL, NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit__docle(void);

PyMODINIT_FUNC PyInit__docle(void)
{
    return PyModule_Create(&definition);
}

/*
 * The extension module _docle: the thin layer between CPython and the fork server. Limited API, so
 * one file serves every Python from 3.8 on. Used by bootstrap.py alone.
 *
 *   gate(function)     a function that does nothing in the fork of the zygote, and function after.
 *   serve(seed, generator, stir, data, plain, training) -> (path, flags, settings), in a child
 * only; the arguments are those of struct start. resume() -> the same, after serve() has returned
 * (None, names, settings): import those first. read, watch, changed, flush, drop: see start.h and
 * ending.h. report(error)      prints an uncaught exception as the interpreter would. finish(code)
 * ends the process.
 */
#include "runtimes/python/start.h"

#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

#include "runtimes/python/ending.h"

#include "base/poison.h"

static struct start start;
static pid_t zygote_pid;

/* While it forks for a run, no other thread holds a lock, and what the child draws it seeds
 * itself: the hooks of the imported modules have nothing to repair. */
static bool forking_for_run;

static void before_fork(void *context)
{
    (void)context;
    forking_for_run = true;
    PyOS_BeforeFork();
}

static void after_fork_parent(void *context)
{
    (void)context;
    PyOS_AfterFork_Parent();
    forking_for_run = false;
}

static void after_fork_child(void *context)
{
    (void)context;
    PyOS_AfterFork_Child();
    forking_for_run = false;
}

static PyObject *pass_gate(PyObject *function, PyObject *nothing)
{
    (void)nothing;
    if (forking_for_run)
        Py_RETURN_NONE;
    return PyObject_CallObject(function, NULL);
}

static PyObject *docle_gate(PyObject *module, PyObject *function)
{
    static PyMethodDef method = {"gate", pass_gate, METH_NOARGS, NULL};

    (void)module;
    return PyCFunction_NewEx(&method, function, NULL);
}

/* --- serving ---------------------------------------------------------------------------------- */

static int reseed(void *context)
{
    (void)context;
    if (start_reseed(&start, zygote_pid) == 0)
        return 0;
    PyErr_Print();
    return -1;
}

static PyObject *docle_serve(PyObject *module, PyObject *arguments)
{
    static const struct zygote_hooks hooks = {
        .before_fork = before_fork,
        .after_fork_parent = after_fork_parent,
        .after_fork_child = after_fork_child,
        .reseed = reseed,
    };
    struct zygote_run run;
    struct dc_err err;

    (void)module;
    if (!PyArg_ParseTuple(arguments, "OOOOOO", &start.seed, &start.generator, &start.stir,
                          &start.data, &start.plain, &start.training))
        return NULL;
    Py_INCREF(arguments); /* and so its items, for the life of the process */
    zygote_pid = getpid();
    if (zygote_serve(&hooks, &run, &err) < 0) {
        PyErr_SetString(PyExc_RuntimeError, err.text);
        return NULL;
    }
    return start_program(&start, &run);
}

static PyObject *docle_resume(PyObject *module, PyObject *nothing)
{
    struct zygote_run run;
    struct dc_err err;

    (void)module;
    (void)nothing;
    if (zygote_resume(&run, &err) == 0)
        return start_program(&start, &run);
    PyErr_SetString(PyExc_RuntimeError, err.text);
    return NULL;
}

/* --- the program ------------------------------------------------------------------------------ */

static PyObject *docle_read(PyObject *module, PyObject *path)
{
    (void)module;
    return start_read(path);
}

static PyObject *docle_watch(PyObject *module, PyObject *things)
{
    (void)module;
    return ending_watch(things);
}

static PyObject *docle_changed(PyObject *module, PyObject *nothing)
{
    (void)module;
    (void)nothing;
    return ending_changed();
}

static PyObject *docle_flush(PyObject *module, PyObject *nothing)
{
    (void)module;
    (void)nothing;
    return ending_flush();
}

static PyObject *docle_drop(PyObject *module, PyObject *arguments)
{
    PyObject *last_module;
    PyObject *collect;

    (void)module;
    if (!PyArg_ParseTuple(arguments, "OO", &last_module, &collect))
        return NULL;
    return ending_drop(last_module, collect);
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
    {"gate", docle_gate, METH_O, NULL},
    {"serve", docle_serve, METH_VARARGS, NULL},
    {"resume", docle_resume, METH_NOARGS, NULL},
    {"read", docle_read, METH_O, NULL},
    {"watch", docle_watch, METH_O, NULL},
    {"changed", docle_changed, METH_NOARGS, NULL},
    {"flush", docle_flush, METH_NOARGS, NULL},
    {"drop", docle_drop, METH_VARARGS, NULL},
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

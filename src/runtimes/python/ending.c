#include "runtimes/python/ending.h"

#include <stdbool.h>

#include "base/poison.h"

enum { WATCHED_MAX = 8 };

static struct watched {
    PyObject *thing;
    Py_ssize_t measure;
} watched[WATCHED_MAX];

static Py_ssize_t measure(PyObject *thing)
{
    DC_AUTO(py_drop) PyObject *result = NULL;

    if (!PyCallable_Check(thing))
        return PyObject_Size(thing);
    result = PyObject_CallObject(thing, NULL);
    return result ? PyLong_AsSsize_t(result) : -1;
}

PyObject *ending_watch(PyObject *things)
{
    Py_ssize_t count = PyTuple_Size(things);

    if (count < 0 || count > WATCHED_MAX) {
        PyErr_SetString(PyExc_ValueError, "watch takes a tuple of a few things");
        return NULL;
    }
    for (Py_ssize_t i = 0; i < count; i++) {
        PyObject *thing = PyTuple_GetItem(things, i);

        watched[i] = (struct watched){thing, measure(thing)};
        if (watched[i].measure < 0)
            return NULL;
        Py_INCREF(thing); /* for the life of the process */
    }
    Py_RETURN_NONE;
}

PyObject *ending_changed(void)
{
    for (size_t i = 0; i < WATCHED_MAX && watched[i].thing; i++) {
        Py_ssize_t now = measure(watched[i].thing);

        PyErr_Clear(); /* what cannot be measured has changed */
        if (now != watched[i].measure)
            Py_RETURN_TRUE;
    }
    Py_RETURN_FALSE;
}

static bool flush(const char *name)
{
    PyObject *stream = PySys_GetObject(name); /* borrowed; it may go away meanwhile */
    DC_AUTO(py_drop) PyObject *closed = NULL;
    DC_AUTO(py_drop) PyObject *flushed = NULL;

    if (!stream || stream == Py_None)
        return true;
    Py_INCREF(stream);
    closed = PyObject_GetAttrString(stream, "closed");
    PyErr_Clear(); /* not everything that is printed to has it */
    if (closed != Py_True)
        flushed = PyObject_CallMethod(stream, "flush", NULL);
    Py_DECREF(stream);
    return closed == Py_True || flushed;
}

PyObject *ending_flush(void)
{
    bool good = flush("stdout");

    good = flush("stderr") && good;
    PyErr_Clear();
    return PyBool_FromLong(good);
}

/* Looking at the names does not touch them. */
static bool is_last(PyObject *modules, PyObject *last_module)
{
    PyObject *name = NULL;
    PyObject *module;
    Py_ssize_t at = 0;

    while (PyDict_Next(modules, &at, &name, &module))
        continue;
    return name == last_module;
}

static int restore_streams(void)
{
    static const struct {
        const char *name;
        const char *from;
    } all[] = {{"stdin", "__stdin__"}, {"stdout", "__stdout__"}, {"stderr", "__stderr__"}};
    static const char *const last[] = {"last_type", "last_value", "last_traceback", "last_exc"};

    for (size_t i = 0; i < sizeof(last) / sizeof(last[0]); i++)
        if (PySys_GetObject(last[i]) && PySys_SetObject(last[i], Py_None) < 0)
            return -1;
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        PyObject *stream = PySys_GetObject(all[i].from);

        if (stream && PySys_SetObject(all[i].name, stream) < 0)
            return -1;
    }
    return 0;
}

PyObject *ending_drop(PyObject *last_module, PyObject *collect)
{
    PyObject *modules = PyImport_GetModuleDict(); /* borrowed, as what it gives */
    PyObject *main = PyDict_GetItemString(modules, "__main__");
    DC_AUTO(py_drop) PyObject *reference = NULL;
    DC_AUTO(py_drop) PyObject *collected = NULL;
    PyObject *survivor = Py_None;

    if (!is_last(modules, last_module))
        Py_RETURN_FALSE;
    if (restore_streams() < 0)
        return NULL;
    if (main) {
        reference = PyWeakref_NewRef(main, NULL);
        if (!reference || PyDict_DelItemString(modules, "__main__") < 0)
            return NULL;
    }
    collected = PyObject_CallObject(collect, NULL);
    if (!collected)
        return NULL;
    if (reference)
        survivor = PyWeakref_GetObject(reference);
    Py_INCREF(survivor);
    return survivor;
}

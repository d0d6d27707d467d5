#include "runtimes/python/start.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/io.h"
#include "base/limits.h"

#include "base/poison.h"

enum { SETTING_TIME_ZONE = 1, SETTING_INTERPRETER = 2 };

static const char workspace[] = "/workspace";

int start_reseed(const struct start *start, long zygote_pid)
{
    DC_AUTO(py_drop) PyObject *seeded = NULL;
    DC_AUTO(py_drop) PyObject *stirred = NULL;

    seeded = PyObject_CallFunctionObjArgs(start->seed, start->generator, NULL);
    if (!seeded || getpid() != zygote_pid)
        return seeded ? 0 : -1;
    stirred = PyObject_CallObject(start->stir, NULL);
    return stirred ? 0 : -1;
}

/* One "NAME=VALUE", into the process's environment and into data, as os.environ keeps it. */
static int set_variable(const char *pair, PyObject *data)
{
    const char *equals = strchr(pair, '=');
    DC_AUTO(py_drop) PyObject *name = NULL;
    DC_AUTO(py_drop) PyObject *value = NULL;

    if (!equals)
        return 0;
    name = PyBytes_FromStringAndSize(pair, equals - pair);
    value = PyBytes_FromString(equals + 1);
    if (!name || !value || PyDict_SetItem(data, name, value) < 0)
        return -1;
    if (setenv(PyBytes_AsString(name), equals + 1, 1) == 0)
        return 0;
    (void)PyErr_NoMemory();
    return -1;
}

static int set_environment(const struct zygote_run *run, PyObject *data, unsigned *ret_settings)
{
    *ret_settings = 0;
    for (size_t i = 0; i < run->envc; i++) {
        if (strncmp(run->env[i], "TZ=", 3) == 0)
            *ret_settings |= SETTING_TIME_ZONE;
        if (strncmp(run->env[i], "PYTHON", 6) == 0)
            *ret_settings |= SETTING_INTERPRETER;
        if (set_variable(run->env[i], data) < 0)
            return -1;
    }
    return 0;
}

/* Replaces what the list holds from `from` on by the path and the run's arguments. */
static int set_arguments(PyObject *list, Py_ssize_t from, PyObject *path,
                         const struct zygote_run *run)
{
    if (PyList_SetSlice(list, from, PyList_Size(list), NULL) < 0 || PyList_Append(list, path) < 0)
        return -1;
    for (size_t i = 0; i < run->argc; i++) {
        DC_AUTO(py_drop) PyObject *item = PyUnicode_DecodeFSDefault(run->args[i]);

        if (!item || PyList_Append(list, item) < 0)
            return -1;
    }
    return 0;
}

static int set_command_line(const struct start *start, PyObject *path, const struct zygote_run *run)
{
    PyObject *argv = PySys_GetObject("argv"); /* borrowed */

    if (!argv || !PyList_Check(argv)) {
        PyErr_SetString(PyExc_RuntimeError, "there is no sys.argv");
        return -1;
    }
    if (set_arguments(argv, 0, path, run) < 0 ||
        set_arguments(start->plain, PyList_Size(start->plain), path, run) < 0)
        return -1;
    return PySys_SetObject("orig_argv", start->plain);
}

/* The program's folder comes first, then, when that is another, the workspace. */
static int set_search_path(const char *path)
{
    PyObject *list = PySys_GetObject("path"); /* borrowed */
    size_t length = (size_t)(strrchr(path, '/') - path);
    PyObject *folder = PyUnicode_DecodeFSDefaultAndSize(path, (Py_ssize_t)length);
    DC_AUTO(py_drop) PyObject *top = NULL;

    if (!folder || !list || PyList_SetItem(list, 0, folder) < 0) /* takes folder */
        return -1;
    if (length == sizeof(workspace) - 1 || strncmp(path, workspace, sizeof(workspace) - 1) != 0)
        return 0;
    top = PyUnicode_FromString(workspace);
    return top ? PyList_Insert(list, 1, top) : -1;
}

/* As for a program in the workspace, whose name is not known yet. */
static PyObject *start_preparing(const struct start *start, const struct zygote_run *run)
{
    DC_AUTO(py_drop) PyObject *names = PyList_New(0);
    DC_AUTO(py_drop) PyObject *nothing = PyUnicode_FromString("");
    unsigned settings;

    if (!names || !nothing || set_arguments(names, 0, nothing, run) < 0 ||
        set_environment(run, start->data, &settings) < 0 ||
        set_search_path("/workspace/main.py") < 0)
        return NULL;
    return Py_BuildValue("(OOI)", Py_None, names, settings);
}

PyObject *start_program(const struct start *start, const struct zygote_run *run)
{
    DC_AUTO(py_drop) PyObject *path = NULL;
    DC_AUTO(py_drop) PyObject *bytes = NULL;
    unsigned settings;

    if (run->preparing)
        return start_preparing(start, run);
    if (run->training) {
        path = start->training;
        Py_INCREF(path);
    } else {
        char text[sizeof(workspace) + DC_PATH_MAX_BYTES + 1];

        (void)snprintf(text, sizeof(text), "%s/%s", workspace, run->entrypoint);
        path = PyUnicode_DecodeFSDefault(text);
    }
    bytes = path ? PyUnicode_EncodeFSDefault(path) : NULL;
    if (!bytes || set_environment(run, start->data, &settings) < 0 ||
        set_command_line(start, path, run) < 0 || set_search_path(PyBytes_AsString(bytes)) < 0)
        return NULL;
    return Py_BuildValue("(OII)", path, run->flags, settings);
}

PyObject *start_read(PyObject *path)
{
    DC_AUTO(py_drop) PyObject *name = PyUnicode_EncodeFSDefault(path);
    DC_AUTO(py_drop) PyObject *content = NULL;
    DC_AUTO(dc_close) int fd = -1;
    struct stat stat;
    size_t length = 0;
    struct dc_err err;

    if (!name)
        return NULL;
    fd = open(PyBytes_AsString(name), O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &stat) < 0 || !S_ISREG(stat.st_mode))
        Py_RETURN_NONE;
    content = PyBytes_FromStringAndSize(NULL, stat.st_size);
    if (!content)
        return NULL;
    if (dc_read_full(fd, PyBytes_AsString(content), (size_t)stat.st_size, &length, &err) < 0 ||
        length != (size_t)stat.st_size)
        Py_RETURN_NONE;
    return dc_take(content);
}

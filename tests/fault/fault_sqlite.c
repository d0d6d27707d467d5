#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#include <sqlite3.h>

#include "fault.h"

/* SQLite's allocations: a size is kept in front of each block, as its interface wants. */
enum { HEAD = 16 };

static void *sq_malloc(int size)
{
    char *block = fault_hits(FAULT_MEMORY) ? NULL : malloc((size_t)size + HEAD);

    if (!block)
        return NULL;
    memcpy(block, &size, sizeof(size));
    return block + HEAD;
}

static void sq_free(void *block)
{
    free(block ? (char *)block - HEAD : NULL);
}

static int sq_size(void *block)
{
    int size = 0;

    if (block)
        memcpy(&size, (char *)block - HEAD, sizeof(size));
    return size;
}

static void *sq_realloc(void *old, int size)
{
    char *block =
        fault_hits(FAULT_MEMORY) ? NULL : realloc((char *)old - HEAD, (size_t)size + HEAD);

    if (!block)
        return NULL;
    memcpy(block, &size, sizeof(size));
    return block + HEAD;
}

static int sq_roundup(int size)
{
    return (size + 7) & ~7;
}

static int sq_init(void *data)
{
    (void)data;
    return SQLITE_OK;
}

static void sq_shutdown(void *data)
{
    (void)data;
}

/* System calls of its unix layer, by the names that it gives them. */
static sqlite3_syscall_ptr real_open;
static sqlite3_syscall_ptr real_pread;
static sqlite3_syscall_ptr real_pwrite;
static sqlite3_syscall_ptr real_ftruncate;
static sqlite3_syscall_ptr real_mmap;

static bool fails(int errnum)
{
    if (!fault_hits(FAULT_SYSTEM))
        return false;
    errno = errnum;
    return true;
}

static int sq_open(const char *path, int flags, int mode)
{
    return fails(EMFILE) ? -1 : ((int (*)(const char *, int, int))real_open)(path, flags, mode);
}

static ssize_t sq_pread(int fd, void *bytes, size_t length, off_t at)
{
    return fails(EIO) ? -1
                      : ((ssize_t(*)(int, void *, size_t, off_t))real_pread)(fd, bytes, length, at);
}

static ssize_t sq_pwrite(int fd, const void *bytes, size_t length, off_t at)
{
    return fails(ENOSPC)
               ? -1
               : ((ssize_t(*)(int, const void *, size_t, off_t))real_pwrite)(fd, bytes, length, at);
}

static int sq_ftruncate(int fd, off_t length)
{
    return fails(EIO) ? -1 : ((int (*)(int, off_t))real_ftruncate)(fd, length);
}

static void *sq_mmap(void *hint, size_t length, int prot, int flags, int fd, off_t at)
{
    if (fails(ENOMEM))
        return (void *)-1;
    return ((void *(*)(void *, size_t, int, int, int, off_t))real_mmap)(hint, length, prot, flags,
                                                                        fd, at);
}

/* SQLite calls these directly; a definition in the program comes before libc's. */
int fdatasync(int fd)
{
    return fails(EIO) ? -1 : (int)syscall(SYS_fdatasync, fd);
}

int fsync(int fd)
{
    return fails(EIO) ? -1 : (int)syscall(SYS_fsync, fd);
}

static void hook(sqlite3_vfs *vfs, const char *name, sqlite3_syscall_ptr ours,
                 sqlite3_syscall_ptr *ret_real)
{
    sqlite3_syscall_ptr real = vfs->xGetSystemCall(vfs, name);

    if (!real)
        return;
    *ret_real = real;
    (void)vfs->xSetSystemCall(vfs, name, ours);
}

void fault_hook_sqlite(void)
{
    static sqlite3_mem_methods methods = {
        sq_malloc, sq_free, sq_realloc, sq_size, sq_roundup, sq_init, sq_shutdown, NULL,
    };
    sqlite3_vfs *vfs;

    /* No lookaside: small allocations are to be seen, too. */
    if (sqlite3_config(SQLITE_CONFIG_MALLOC, &methods) != SQLITE_OK ||
        sqlite3_config(SQLITE_CONFIG_LOOKASIDE, 0, 0) != SQLITE_OK ||
        sqlite3_initialize() != SQLITE_OK)
        abort();
    vfs = sqlite3_vfs_find(NULL);
    hook(vfs, "open", (sqlite3_syscall_ptr)sq_open, &real_open);
    hook(vfs, "pread", (sqlite3_syscall_ptr)sq_pread, &real_pread);
    hook(vfs, "pread64", (sqlite3_syscall_ptr)sq_pread, &real_pread);
    hook(vfs, "pwrite", (sqlite3_syscall_ptr)sq_pwrite, &real_pwrite);
    hook(vfs, "pwrite64", (sqlite3_syscall_ptr)sq_pwrite, &real_pwrite);
    hook(vfs, "ftruncate", (sqlite3_syscall_ptr)sq_ftruncate, &real_ftruncate);
    hook(vfs, "mmap", (sqlite3_syscall_ptr)sq_mmap, &real_mmap);
}

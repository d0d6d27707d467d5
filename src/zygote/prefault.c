#include "zygote/prefault.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/io.h"

#include "base/poison.h"

/* Linux 5.14; Debian 12's headers have them, older ones do not. */
#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#define MADV_POPULATE_WRITE 23
#endif

enum {
    PAGE = 4096,
    CHUNK = 512, /* pagemap entries read at once */
    /* Ranges with a gap up to this are joined: a call costs more than a page or two. */
    JOIN_GAP_WRITE = 1,
    JOIN_GAP_READ = 8,
    CARRY_MIN_PAGES = 8, /* fewer cost less than what each such mapping adds to a fork */
};

/* Bits of /proc/self/pagemap: Documentation/admin-guide/mm/pagemap.rst */
#define MAP_PRESENT (UINT64_C(1) << 63)
#define MAP_FILE_OR_SHARED (UINT64_C(1) << 61)
#define MAP_EXCLUSIVE (UINT64_C(1) << 56)

struct mapping {
    uintptr_t start;
    uintptr_t end;
    bool writable;
    bool executable;
    bool file;
};

static bool add_page(struct prefault *found, uintptr_t page, uint32_t write, uintptr_t floor)
{
    struct prefault_range *last = found->count ? &found->ranges[found->count - 1] : NULL;
    uintptr_t gap = write ? JOIN_GAP_WRITE : JOIN_GAP_READ;

    if (last && last->write == write && last->start >= floor) {
        uintptr_t end = last->start + (uintptr_t)last->pages * PAGE;

        if (page >= end && page - end <= gap * PAGE) {
            last->pages = (uint32_t)((page - last->start) / PAGE) + 1;
            return true;
        }
    }
    if (found->count == PREFAULT_RANGES_MAX)
        return false;
    found->ranges[found->count++] = (struct prefault_range){page, 1, write};
    return true;
}

/* After the fork, what this process wrote to is exclusively its own; what it read from a file is
 * present, because fork() does not copy page tables of plain file mappings. */
static void scan_mapping(struct prefault *found, int pagemap, const struct mapping *mapping)
{
    uint64_t entries[CHUNK];
    uintptr_t at = mapping->start;

    while (at < mapping->end) {
        size_t pages = (mapping->end - at) / PAGE;
        size_t want = pages < CHUNK ? pages : CHUNK;
        ssize_t n = pread(pagemap, entries, want * sizeof(entries[0]),
                          (off_t)(at / PAGE * sizeof(entries[0])));

        if (n <= 0)
            return;
        for (size_t i = 0; i < (size_t)n / sizeof(entries[0]); i++) {
            uint64_t entry = entries[i];
            uint32_t file = (entry & MAP_FILE_OR_SHARED) != 0;
            bool wrote = (entry & MAP_EXCLUSIVE) && !file && mapping->writable;

            if ((entry & MAP_PRESENT) && (wrote || file))
                if (!add_page(found, at + i * PAGE, wrote ? 1 : 0, mapping->start))
                    return;
        }
        at += (uintptr_t)n / sizeof(entries[0]) * PAGE;
    }
}

static bool parse_mapping(const char *line, struct mapping *ret_mapping)
{
    unsigned long start;
    unsigned long end;
    char rights[5];

    if (sscanf(line, "%lx-%lx %4s", &start, &end, rights) != 3)
        return false;
    if (strstr(line, "[v") || rights[3] == 's') /* vdso, vvar, vsyscall; shared memory */
        return false;
    *ret_mapping =
        (struct mapping){start, end, rights[1] == 'w', rights[2] == 'x', strchr(line, '/') != NULL};
    return rights[0] == 'r';
}

int prefault_report(int fd, struct dc_err *err)
{
    static struct prefault found; /* the process ends right after: no stack, no heap disturbed */
    DC_AUTO(dc_close) int pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
    FILE *maps = fopen("/proc/self/maps", "re");
    char line[512];
    struct mapping mapping;

    if (pagemap < 0 || !maps) {
        int saved = errno;

        if (maps)
            (void)fclose(maps);
        return dc_fail(err, DC_KERNEL, saved, "open /proc/self/pagemap or maps");
    }
    while (fgets(line, sizeof(line), maps))
        if (parse_mapping(line, &mapping))
            scan_mapping(&found, pagemap, &mapping);
    (void)fclose(maps);
    return dc_write_all(fd, found.ranges, found.count * sizeof(found.ranges[0]), err);
}

/* Whether pages of the mapping were read, and are worth being carried. */
static bool is_read_much(const struct prefault *prefault, const struct mapping *mapping)
{
    size_t pages = 0;

    for (size_t i = 0; i < prefault->count; i++) {
        const struct prefault_range *range = &prefault->ranges[i];

        if (!range->write && range->start >= mapping->start && range->start < mapping->end)
            pages += range->pages;
    }
    return pages >= CARRY_MIN_PAGES;
}

/* KERNEL: fork() copies the page tables of a mapping that has an anonymous page, and leaves those
 * of plain file mappings to be faulted in again (vma_needs_copy in mm/memory.c). So one page is
 * written as it is. Nothing about the mapping changes to the eye. */
static bool make_carried(const struct mapping *mapping)
{
    size_t length = mapping->end - mapping->start;
    int rights = PROT_READ | (mapping->executable ? PROT_EXEC : 0);
    volatile char *page = (volatile char *)mapping->start;

    if (mprotect((void *)mapping->start, length, rights | PROT_WRITE) < 0)
        return false;
    *page = *page;
    return mprotect((void *)mapping->start, length, rights) == 0;
}

/* Reads the mapping's ranges into the zygote and takes them off the list of the children. */
static void carry(struct prefault *prefault, const struct mapping *mapping)
{
    size_t kept = 0;

    if (!is_read_much(prefault, mapping) || !make_carried(mapping))
        return;
    for (size_t i = 0; i < prefault->count; i++) {
        const struct prefault_range *range = &prefault->ranges[i];

        if (!range->write && range->start >= mapping->start && range->start < mapping->end &&
            madvise((void *)range->start, (size_t)range->pages * PAGE, MADV_POPULATE_READ) == 0)
            continue;
        prefault->ranges[kept++] = *range;
    }
    prefault->count = kept;
}

static int carry_files(struct prefault *prefault, struct dc_err *err)
{
    FILE *maps = fopen("/proc/self/maps", "re");
    char line[512];
    struct mapping mapping;

    if (!maps)
        return dc_fail_errno(err, "open /proc/self/maps");
    while (fgets(line, sizeof(line), maps))
        if (parse_mapping(line, &mapping) && mapping.file && !mapping.writable)
            carry(prefault, &mapping);
    (void)fclose(maps);
    return 0;
}

int prefault_learn(struct prefault *prefault, int fd, struct dc_err *err)
{
    size_t bytes;

    if (dc_read_full(fd, prefault->ranges, sizeof(prefault->ranges), &bytes, err) < 0)
        return dc_context(err, "learned pages");
    prefault->count = bytes / sizeof(prefault->ranges[0]);
    prefault->pages = prefault->written_pages = 0;
    for (size_t i = 0; i < prefault->count; i++) {
        prefault->pages += prefault->ranges[i].pages;
        prefault->written_pages += prefault->ranges[i].write ? prefault->ranges[i].pages : 0;
    }
    return carry_files(prefault, err);
}

void prefault_apply(const struct prefault *prefault)
{
    for (size_t i = 0; i < prefault->count; i++) {
        const struct prefault_range *range = &prefault->ranges[i];

        (void)madvise((void *)range->start, (size_t)range->pages * PAGE,
                      range->write ? MADV_POPULATE_WRITE : MADV_POPULATE_READ);
    }
}

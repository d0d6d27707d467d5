/* Replays files, and all files of folders, through a fuzz target, where there is no libFuzzer. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay_file(const char *path)
{
    FILE *file = fopen(path, "re");
    uint8_t *data = NULL;
    size_t size = 0;
    size_t n;

    if (!file)
        return 0;
    do {
        uint8_t *grown = realloc(data, size + 65536);

        if (!grown)
            abort();
        data = grown;
        n = fread(data + size, 1, 65536, file);
        size += n;
    } while (n);
    (void)fclose(file);
    (void)LLVMFuzzerTestOneInput(data, size);
    free(data);
    return 1;
}

static int replay(const char *path)
{
    struct stat stat_buffer;
    DIR *dir;
    int count = 0;

    if (stat(path, &stat_buffer) < 0 || !S_ISDIR(stat_buffer.st_mode))
        return replay_file(path);
    dir = opendir(path);
    for (struct dirent *entry = dir ? readdir(dir) : NULL; entry; entry = readdir(dir)) {
        char name[1024];

        if (entry->d_name[0] == '.')
            continue;
        (void)snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
        count += replay_file(name);
    }
    if (dir)
        (void)closedir(dir);
    return count;
}

int main(int argc, char **argv)
{
    int count = 0;

    for (int i = 1; i < argc; i++)
        count += replay(argv[i]);
    printf("%d inputs\n", count);
    return count ? 0 : 1; /* no seeds: nothing was tested */
}

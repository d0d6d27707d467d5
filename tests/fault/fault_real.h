/*
 * Put in front of a unit test that is rerun under faults: the test's own calls are not the code
 * under test, so they go past the injection.
 */
#ifndef DOCLE_TESTS_FAULT_REAL_H
#define DOCLE_TESTS_FAULT_REAL_H

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

void *fault_real_malloc(size_t size);
void *fault_real_calloc(size_t count, size_t size);
void *fault_real_realloc(void *old, size_t size);
void *fault_real_reallocarray(void *old, size_t count, size_t size);
char *fault_real_strdup(const char *text);
ssize_t fault_real_read(int fd, void *bytes, size_t length);
ssize_t fault_real_write(int fd, const void *bytes, size_t length);
int fault_real_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*start)(void *),
                              void *arg);

#define malloc(size) fault_real_malloc(size)
#define calloc(count, size) fault_real_calloc(count, size)
#define realloc(old, size) fault_real_realloc(old, size)
#define reallocarray(old, count, size) fault_real_reallocarray(old, count, size)
#define strdup(text) fault_real_strdup(text)
#define read(fd, bytes, length) fault_real_read(fd, bytes, length)
#define write(fd, bytes, length) fault_real_write(fd, bytes, length)
#define pthread_create(thread, attr, start, arg) fault_real_pthread_create(thread, attr, start, arg)

#endif

/* The library parser as a second judge of a head that http_head.c has checked line by line: llhttp
 * where the build found it, else http-parser. For http_head.c. */
#ifndef DOCLE_NET_HTTP_SPLIT_H
#define DOCLE_NET_HTTP_SPLIT_H

#include "net/http_head.h"

/* Fills method, target, version, keep_alive and fields of a zeroed head from a whole head of
 * `length` bytes with checked lines; the text is changed and pointed into. False when the library
 * refuses it, also for a method that it does not know. */
bool http_split(struct http_head *head, char *text, size_t length);

#endif

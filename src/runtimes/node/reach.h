/*
 * What Node-API does not offer: functions of V8, Node and OpenSSL that every node binary exports,
 * found by name at run time. Each is optional: where a version lacks one, the caller does without
 * or is told so. Used in the addon alone.
 */
#ifndef DOCLE_RUNTIMES_NODE_REACH_H
#define DOCLE_RUNTIMES_NODE_REACH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Runs on_exit before Node ends the process on its own account: after it has printed an uncaught
 * exception, or in process.reallyExit. False: this version cannot. Call on the main thread, in
 * JavaScript's context. */
bool reach_at_exit(void (*on_exit)(void *context), void *context);

/* Sets the ceiling of V8's old generation, upwards or downwards. False: this version cannot. */
bool reach_set_heap_limit(uint64_t bytes);

/* The seed that new Math.random() states start from; 0: each draws its own, but all forks of a
 * zygote then draw the same. */
void reach_set_random_seed(uint32_t seed);

/* Makes OpenSSL's generators start anew from the kernel's randomness. False: cannot. */
bool reach_reseed_openssl(void);

/* Full collection; leaves the young generation empty. */
void reach_collect_garbage(void);

#endif

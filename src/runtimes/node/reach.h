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

/* Makes Node call on_exit, which must not return, instead of exit(3) when it ends the process on
 * its own account: process.exit, an uncaught exception that it has printed. False: this version
 * cannot. Call on the main thread, in JavaScript's context. */
bool reach_on_exit(void (*on_exit)(int code));

/* Sets the ceiling of V8's old generation, upwards or downwards. False: this version cannot. */
bool reach_set_heap_limit(uint64_t bytes);

/* Seeds the generator of V8's isolate, from which each context's Math.random takes its state at the
 * first use, from the kernel's randomness. False: this version (24 on) hides it; then: */
bool reach_reseed_v8(void);

/* The seed that new Math.random() states start from; 0: each draws its own, but all forks of a
 * zygote then draw the same. Stays in force for workers too, so set it only for a moment. */
void reach_set_random_seed(uint32_t seed);

/* Makes OpenSSL's generators start anew from the kernel's randomness. False: cannot. */
bool reach_reseed_openssl(void);

/* Full collection; leaves the young generation empty. */
void reach_collect_garbage(void);

#endif

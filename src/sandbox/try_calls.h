/*
 * For tests of our own processes' confinement: makes calls that most of them must not make and says
 * how each went, one line on standard error: "probe WHO CALL=ok" or the error's name. Does nothing
 * but in a build with test hooks.
 */
#ifndef DOCLE_SANDBOX_TRY_CALLS_H
#define DOCLE_SANDBOX_TRY_CALLS_H

void try_calls(const char *who);

#endif

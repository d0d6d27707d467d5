/* Banned functions: no bound, no error report, or a shell. Included last in each .c file. */
#ifndef DOCLE_BASE_POISON_H
#define DOCLE_BASE_POISON_H

/* With clang, _FORTIFY_SOURCE makes macros of these two, and a macro cannot be poisoned. */
#undef sprintf
#undef vsprintf

#pragma GCC poison strcpy strcat sprintf vsprintf gets strtok atoi atol atof system popen mktemp   \
    tmpnam

#endif

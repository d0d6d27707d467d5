/* Between fault.c and fault_main.c. */
#ifndef DOCLE_TESTS_FAULT_INTERNAL_H
#define DOCLE_TESTS_FAULT_INTERNAL_H

#include "fault.h"

long fault_blocks(void);                /* alive now */
long fault_calls(enum fault_kind kind); /* since the start */

#endif

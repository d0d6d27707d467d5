/* Linked into a unit test that uses the store: SQLite takes part from the start. */
#include "fault.h"

__attribute__((constructor(101))) static void hook_sqlite(void)
{
    fault_hook_sqlite();
}

/* The least, the most and the default of each field of a run's policy, for whoever asks. API
 * process. */
#ifndef DOCLE_API_POLICY_PRINT_H
#define DOCLE_API_POLICY_PRINT_H

#include "api/call.h"

/* Appends ,"policy":{…}. */
void policy_print(const struct call *call, struct dc_buf *out);

#endif

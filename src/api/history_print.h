/* Runs as the store keeps them, as the JSON that clients read. API process. */
#ifndef DOCLE_API_HISTORY_PRINT_H
#define DOCLE_API_HISTORY_PRINT_H

#include "base/buf.h"
#include "store/runs.h"

/* {"id","status","lang","createdAt"}: where a run is that has not ended. */
void history_print_status(const char *id, bool running, const char *lang, int64_t created_at,
                          struct dc_buf *out);

/* One entry of a list. status: queued, running, done; currency of what it cost. */
void history_print_summary(const struct store_run *run, const char *status, const char *currency,
                           struct dc_buf *out);

/* ,"details":{…}: what was asked for, and how it was carried out. run: as store_run_get reads. */
void history_print_details(const struct store_run *run, const char *currency, struct dc_buf *out);

#endif

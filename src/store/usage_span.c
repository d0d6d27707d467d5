/* Sums over any span of time: whole days from those that are kept, the rest from the ledger. */
#include "store/store_internal.h"
#include "store/usage.h"

#include "base/poison.h"

#define DAY_NS INT64_C(86400000000000)
#define COSTS " AND test = 0 AND outcome NOT IN ('sandbox_error', 'install_failed')"
/* The same arithmetic as where the sums are kept. */
#define FROM_LEDGER                                                                                \
    " SELECT 1, (cpu_ns + 999999) / 1000000, COALESCE(amount_micros, 0) FROM ledger"               \
    " WHERE project_id = $1"

static const char sql[] =
    "SELECT COALESCE(SUM(runs), 0), COALESCE(SUM(cpu_ms), 0), COALESCE(SUM(micros), 0) FROM ("
    "SELECT runs, cpu_ms, amount_micros AS micros FROM usage_days"
    " WHERE project_id = $1 AND day >= $2 AND day < $3" COSTS " UNION ALL" FROM_LEDGER
    " AND at >= $4 AND at < $5" COSTS " UNION ALL" FROM_LEDGER " AND at >= $6 AND at < $7" COSTS
    ") AS parts";

int store_usage_span(struct store_conn *conn, const char *project_id, int64_t from, int64_t to,
                     struct store_usage_sums *ret_sums, struct dc_err *err)
{
    DC_AUTO(db_end) struct db_query *query = NULL;
    int64_t first = (from + DAY_NS - 1) / DAY_NS; /* whole days: [first, last) */
    int64_t last = to / DAY_NS;
    bool whole = first < last;
    bool row;

    if (db_begin_query(conn->db, sql, &query, err) < 0)
        return -err->code;
    db_bind_text(query, 1, project_id);
    db_bind_int(query, 2, first);
    db_bind_int(query, 3, last);
    db_bind_int(query, 4, from);
    db_bind_int(query, 5, whole ? first * DAY_NS : to);
    db_bind_int(query, 6, whole ? last * DAY_NS : to);
    db_bind_int(query, 7, to);
    if (db_step(query, &row, err) < 0)
        return -err->code;
    *ret_sums = (struct store_usage_sums){
        .runs = db_int(query, 0), .cpu_ms = db_int(query, 1), .amount_micros = db_int(query, 2)};
    return 0;
}

/* A growing array of rows of one size, with the texts that they point to behind them, so that the
 * whole is one allocation and free() is all it takes. Internal to the store. */
#ifndef DOCLE_STORE_ROWS_H
#define DOCLE_STORE_ROWS_H

#include "base/buf.h"
#include "store/db.h"

struct rows {
    char *data;
    size_t size; /* of a row */
    size_t count;
    size_t capacity;
    struct dc_buf texts;
};

void rows_init(struct rows *rows, size_t size);
void rows_release(struct rows *rows);

static inline void rows_release_auto(struct rows *rows)
{
    rows_release(rows);
}

/* A zeroed row at the end, valid until the next; NULL without memory. */
void *rows_add(struct rows *rows, struct dc_err *err);

/* Keeps a column's text. *slot is a member of the row; it is no pointer before rows_take. */
DC_MUST int rows_text(struct rows *rows, struct db_query *query, int column, const char **slot,
                      struct dc_err *err);

/* Gives the array away, malloc'ed, never NULL. slots: offsets of the members that rows_text was
 * called for, in every row. */
DC_MUST int rows_take(struct rows *rows, const size_t *slots, size_t slot_count, void **ret_data,
                      size_t *ret_count, struct dc_err *err);

/* All rows of a query whose parameters are bound, for rows without such texts. read fills a zeroed
 * row. *ret_rows is malloc'ed, never NULL. */
DC_MUST int rows_read(struct db_query *query, size_t size,
                      int (*read)(struct db_query *query, void *row, struct dc_err *err),
                      void **ret_rows, size_t *ret_count, struct dc_err *err);

#endif

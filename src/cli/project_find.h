/* A project as the operator names it. CLI process. */
#ifndef DOCLE_CLI_PROJECT_FIND_H
#define DOCLE_CLI_PROJECT_FIND_H

#include "store/projects.h"

/* wanted: an identifier, or a name that one project has. DC_NOT_FOUND, DC_INVALID: several. */
DC_MUST int project_find(struct store_conn *conn, const char *wanted,
                         struct store_project *ret_project, struct dc_err *err);

#endif

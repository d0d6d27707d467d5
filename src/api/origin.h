/* Did another site make the browser send this? Pure; API process. */
#ifndef DOCLE_API_ORIGIN_H
#define DOCLE_API_ORIGIN_H

#include <stdbool.h>

struct origin_facts {
    const char *fetch_site; /* Sec-Fetch-Site; NULL: absent. No page can forge it. */
    const char *origin;     /* Origin; NULL: absent */
    const char *host;       /* Host; NULL: absent */
    bool secure;            /* by HTTPS */
    const char *app_url;    /* of the settings */
};

/* True for requests of our own pages, of the address bar, and of programs, which send neither
 * header. Both headers are believed where both are there. */
bool origin_is_own(const struct origin_facts *facts);

#endif

/*
 * The settings of the accounts as they are at one time, with the way out for mails that follows
 * from them. Immutable; who began under the old ones ends under them. API process, loop thread; the
 * options may be read on the store's threads while a reference is held.
 *
 * Lifecycle: settings_new has one reference; the last settings_unref frees.
 */
#ifndef DOCLE_ACCOUNTS_SETTINGS_H
#define DOCLE_ACCOUNTS_SETTINGS_H

#include "accounts/accounts.h"
#include "accounts/mail.h"
#include "base/arena.h"

struct settings {
    struct accounts_options options; /* strings are the settings' own */
    struct mail_transport *transport;
    struct dc_arena arena;
    unsigned references;
};

/* Copies options. DC_INVALID: what does not hang together. outbound: borrowed. */
DC_MUST int settings_new(const struct accounts_options *options, struct outbound *outbound,
                         struct settings **ret_settings, struct dc_err *err);
struct settings *settings_ref(struct settings *settings); /* returns it */
void settings_unref(struct settings *settings);           /* accepts NULL */
DC_AUTO_DEFINE(struct settings *, settings_unref)

#endif

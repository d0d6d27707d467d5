#include "accounts/settings.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"

#include "base/poison.h"

/* Secrets are wiped by who holds the last reference; all else may stay where it was. */
static void wipe(const char *secret)
{
    if (secret)
        dc_wipe((char *)secret, strlen(secret));
}

static bool keep(struct settings *settings, const char **text)
{
    if (*text)
        *text = dc_arena_copy(&settings->arena, *text, strlen(*text));
    else
        *text = "";
    return *text != NULL;
}

static bool keep_all(struct settings *settings)
{
    struct accounts_options *options = &settings->options;
    struct mail_options *mail = &options->mail;
    const char **texts[] = {
        &mail->from,       &mail->resend_key,    &mail->resend_url,  &mail->smtp_url,
        &mail->smtp_user,  &mail->smtp_password, &options->app_name, &options->app_url,
        &options->domains, &options->operators,
    };

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        if (!keep(settings, texts[i])) {
            mail->resend_key = mail->smtp_password = NULL; /* maybe the caller's still */
            return false;
        }
    return true;
}

int settings_new(const struct accounts_options *options, struct outbound *outbound,
                 struct settings **ret_settings, struct dc_err *err)
{
    DC_AUTO(settings_unref) struct settings *settings = calloc(1, sizeof(*settings));

    if (!settings)
        return dc_fail(err, DC_KERNEL, ENOMEM, "settings of accounts");
    settings->references = 1;
    settings->options = *options;
    if (!keep_all(settings))
        return dc_fail(err, DC_KERNEL, ENOMEM, "settings of accounts");
    if (mail_transport_new(&settings->options.mail, outbound, &settings->transport, err) < 0)
        return -err->code;
    *ret_settings = dc_take(settings);
    return 0;
}

struct settings *settings_ref(struct settings *settings)
{
    settings->references++;
    return settings;
}

void settings_unref(struct settings *settings)
{
    if (!settings || --settings->references)
        return;
    mail_transport_free(settings->transport);
    wipe(settings->options.mail.resend_key);
    wipe(settings->options.mail.smtp_password);
    dc_arena_release(&settings->arena);
    free(settings);
}

#include "accounts/incident_mail.h"

#include <stdio.h>

#include "store/users.h"

#include "base/poison.h"

int incident_mail_read(struct store_conn *conn, const char *incident_id, const char *recipient,
                       struct store_incident *ret_incident, bool *ret_good, struct dc_err *err)
{
    struct store_user user;
    int found = store_incident_get(conn, incident_id, ret_incident, err);

    *ret_good = false;
    if (found == 0)
        found = store_user_find(conn, recipient, &user, err);
    if (found < 0)
        return found == -DC_NOT_FOUND ? 0 : found;
    *ret_good = user.operator&& !user.suspended_at;
    return 0;
}

struct mail_words incident_mail_words(struct incident_mail *mail, const char *app_name,
                                      const char *app_url)
{
    (void)snprintf(mail->title, sizeof(mail->title), "%s: billing needs a look (%s)", app_name,
                   store_incident_name(mail->incident.kind));
    (void)snprintf(mail->link, sizeof(mail->link), "%s/dashboard", app_url);
    return (struct mail_words){
        .title = mail->title,
        .lines = {mail->incident.detail,
                  "On the server, docle billing status shows how things stand now. No other mail "
                  "comes for this incident, nor for another one of its kind within six hours."},
        .button = "Open the dashboard",
        .link = mail->link,
        .footer = "You get this because you are an operator of the server.",
    };
}

/* Links to Stripe's pages, made when somebody asks for one. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "billing/billing_internal.h"
#include "billing/form.h"

#include "base/poison.h"

struct account {
    const char *project_id;
    const char *customer; /* to set */
    char chosen[STORE_CUSTOMER_SIZE];
    struct store_billing billing;
};

static int run_get(struct store_conn *conn, void *arg, struct dc_err *err)
{
    struct account *account = arg;

    return store_billing_get(conn, account->project_id, &account->billing, err);
}

static int run_set(struct store_conn *conn, void *arg, struct dc_err *err)
{
    struct account *account = arg;

    return store_billing_set_customer(conn, account->project_id, account->customer, dc_wall_now(),
                                      account->chosen, err);
}

/* One customer a project, however many ask at once: the key makes Stripe answer all with the first,
 * and the store keeps the first should the key be forgotten. */
static int ensure_customer(struct billing *billing, struct account *account, struct dc_err *err)
{
    DC_AUTO(stripe_answer_release) struct stripe_answer answer = {0};
    DC_AUTO(dc_buf_release) struct dc_buf form = {0};
    char key[64];

    if (*account->billing.customer) {
        memcpy(account->chosen, account->billing.customer, sizeof(account->chosen));
        return 0;
    }
    dc_buf_init(&form, FORM_MAX_BYTES);
    form_add(&form, "metadata[project_id]", account->project_id);
    (void)snprintf(key, sizeof(key), "cust:%s", account->project_id);
    if (stripe_call(&billing->stripe, "POST", "/v1/customers", &form, key, &answer, err) < 0)
        return -err->code;
    account->customer = stripe_text(answer.body, "id");
    if (!stripe_id_valid(account->customer))
        return dc_fail(err, DC_BUG, 0, "Stripe's customer has no id");
    return await_store(billing->worker, AWAIT_WRITE, run_set, account, err);
}

/* Has Stripe make a page; its address. */
static int make_page(struct billing *billing, const char *path, const struct dc_buf *form,
                     char *ret_url, struct dc_err *err)
{
    DC_AUTO(stripe_answer_release) struct stripe_answer answer = {0};
    const char *url;

    if (stripe_call(&billing->stripe, "POST", path, form, NULL, &answer, err) < 0)
        return -err->code;
    url = stripe_text(answer.body, "url");
    if (!url || (size_t)snprintf(ret_url, STORE_URL_SIZE, "%s", url) >= STORE_URL_SIZE)
        return dc_fail(err, DC_BUG, 0, "Stripe's page has no address that fits");
    return 0;
}

static void add_url(struct dc_buf *form, const struct billing *billing, const char *name,
                    const char *query)
{
    char url[STORE_URL_SIZE];

    if ((size_t)snprintf(url, sizeof(url), "%s/dashboard/billing%s", billing->options.app_url,
                         query) >= sizeof(url))
        form->failed = true;
    form_add(form, name, url);
}

/* No quantity: usage is what is billed, and Stripe refuses one. The project's id goes to the
 * subscription, where it stays. */
static void fill_session(const struct billing *billing, const struct account *account,
                         struct dc_buf *form)
{
    char name[32];
    int item = 0;

    form_add(form, "mode", "subscription");
    form_add(form, "customer", account->chosen);
    form_add(form, "client_reference_id", account->project_id);
    for (int i = 0; i < STORE_METERS; i++) {
        if (!billing->options.prices[i])
            continue;
        (void)snprintf(name, sizeof(name), "line_items[%d][price]", item++);
        form_add(form, name, billing->options.prices[i]);
    }
    form_add(form, "subscription_data[metadata][project_id]", account->project_id);
    form_add(form, "metadata[project_id]", account->project_id);
    add_url(form, billing, "success_url", "?success=true");
    add_url(form, billing, "cancel_url", "?cancelled=true");
}

/* A second subscription beside one of these would bill the same usage twice. */
static bool lives(const char *status)
{
    static const char list[] = " active trialing past_due unpaid paused ";
    char word[STORE_STRIPE_STATUS_SIZE + 2];

    (void)snprintf(word, sizeof(word), " %s ", status);
    return *status && strstr(list, word);
}

int billing_checkout(struct billing *billing, const char *project_id, char *ret_url,
                     struct dc_err *err)
{
    DC_AUTO(dc_buf_release) struct dc_buf form = {0};
    struct account account = {.project_id = project_id};

    if (await_store(billing->worker, AWAIT_READ, run_get, &account, err) < 0)
        return -err->code;
    if (lives(account.billing.status))
        return dc_fail(err, DC_CONFLICT, 0,
                       "the project has a subscription already (%s): change it in the portal",
                       account.billing.status);
    if (!billing->options.prices[STORE_METER_RUNS])
        return dc_fail(err, DC_INVALID, 0,
                       "no price is set: run docle billing setup, and set STRIPE_PRICE_ID");
    if (ensure_customer(billing, &account, err) < 0)
        return -err->code;
    dc_buf_init(&form, FORM_MAX_BYTES);
    fill_session(billing, &account, &form);
    return make_page(billing, "/v1/checkout/sessions", &form, ret_url, err);
}

int billing_portal(struct billing *billing, const char *project_id, char *ret_url,
                   struct dc_err *err)
{
    DC_AUTO(dc_buf_release) struct dc_buf form = {0};
    struct account account = {.project_id = project_id};

    if (await_store(billing->worker, AWAIT_READ, run_get, &account, err) < 0)
        return -err->code;
    if (!*account.billing.customer)
        return dc_fail(err, DC_CONFLICT, 0, "the project has never paid: begin with a checkout");
    dc_buf_init(&form, FORM_MAX_BYTES);
    form_add(&form, "customer", account.billing.customer);
    add_url(&form, billing, "return_url", "");
    return make_page(billing, "/v1/billing_portal/sessions", &form, ret_url, err);
}

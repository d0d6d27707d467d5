/* Settings: where they come from, what is refused, what is said about it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/io.h"
#include "cli/config.h"

#include "base/poison.h"

static char *const nothing[] = {NULL};

/* A file with that text; the caller unlinks and frees it. */
static char *write_file(const char *text)
{
    char *path = strdup("/tmp/docle-config-XXXXXX");
    int fd = mkstemp(path);
    struct dc_err err;

    assert_true(fd >= 0);
    assert_int_equal(dc_write_all(fd, text, strlen(text), &err), 0);
    dc_close(fd);
    return path;
}

static int load(struct config *config, const char *text, char *const *environment,
                struct dc_err *err)
{
    char *path = write_file(text);
    int result;

    config_init(config);
    assert_int_equal(config_set_file(config, path, err), 0);
    result = config_load(config, environment, err);
    (void)unlink(path);
    free(path);
    return result;
}

static void assert_refused(const char *text, const char *wanted)
{
    DC_AUTO(config_release) struct config config;
    struct dc_err err;

    assert_int_equal(load(&config, text, nothing, &err), -DC_INVALID);
    if (!strstr(err.text, wanted))
        fail_msg("'%s' does not say '%s'", err.text, wanted);
}

static void assert_env_refused(const char *variable, const char *wanted)
{
    char *const environment[] = {(char *)(uintptr_t)variable, NULL};
    DC_AUTO(config_release) struct config config;
    struct dc_err err;

    config_init(&config);
    assert_int_equal(config_load(&config, environment, &err), -DC_INVALID);
    if (!strstr(err.text, wanted))
        fail_msg("'%s' does not say '%s'", err.text, wanted);
}

static void defaults_are_valid(void **state)
{
    DC_AUTO(config_release) struct config config;
    struct dc_err err;
    char host[64];
    uint16_t port;

    (void)state;
    assert_int_equal(load(&config, "", nothing, &err), 0);
    config_listen(&config, host, &port);
    assert_string_equal(host, "127.0.0.1");
    assert_int_equal(port, 8787);
    assert_string_equal(config_text(&config, CONFIG_FLOOR), "standard");
    assert_int_equal(config_number(&config, CONFIG_FLOOR), 1);
    assert_int_equal(config_number(&config, CONFIG_HISTORY_DAYS), 7);
    assert_null(config_text_or_null(&config, CONFIG_METRICS_TOKEN));
    for (unsigned i = 0; i < CONFIG_KEYS; i++)
        assert_int_equal(config.values[i].source, CONFIG_FROM_DEFAULT);
}

static void flag_beats_environment_beats_file(void **state)
{
    char *const environment[] = {(char *)"DOCLE_SLOTS=20", (char *)"DOCLE_HISTORY_DAYS=20", NULL};
    DC_AUTO(config_release) struct config config;
    char *path = write_file("slots = 10\n[history]\ndays = 10\n[queue]\nmax = 10\n");
    struct dc_err err;

    (void)state;
    config_init(&config);
    assert_int_equal(config_set_file(&config, path, &err), 0);
    assert_int_equal(config_set(&config, CONFIG_SLOTS, "30", &err), 0);
    assert_int_equal(config_load(&config, environment, &err), 0);
    assert_int_equal(config_number(&config, CONFIG_SLOTS), 30);
    assert_int_equal(config.values[CONFIG_SLOTS].source, CONFIG_FROM_FLAG);
    assert_int_equal(config_number(&config, CONFIG_HISTORY_DAYS), 20);
    assert_int_equal(config.values[CONFIG_HISTORY_DAYS].source, CONFIG_FROM_ENV);
    assert_int_equal(config_number(&config, CONFIG_QUEUE_MAX), 10);
    assert_int_equal(config.values[CONFIG_QUEUE_MAX].source, CONFIG_FROM_FILE);
    assert_string_equal(config.file, path);
    (void)unlink(path);
    free(path);
}

static void the_applications_address_follows_the_port(void **state)
{
    static const struct {
        const char *listen, *own, *wanted;
    } cases[] = {
        {NULL, NULL, "http://localhost:8787"},
        {"127.0.0.1:9001", NULL, "http://localhost:9001"},
        {"[::1]:9001", NULL, "http://localhost:9001"},
        {"127.0.0.1:0", NULL, "http://localhost:8787"},
        {"127.0.0.1:9001", "https://code.example", "https://code.example"},
    };
    char *const environment[] = {NULL};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        DC_AUTO(config_release) struct config config;
        struct dc_err err;

        config_init(&config);
        if (cases[i].listen)
            assert_int_equal(config_set(&config, CONFIG_LISTEN, cases[i].listen, &err), 0);
        if (cases[i].own)
            assert_int_equal(config_set(&config, CONFIG_APP_URL, cases[i].own, &err), 0);
        assert_int_equal(config_load(&config, environment, &err), 0);
        assert_string_equal(config_text(&config, CONFIG_APP_URL), cases[i].wanted);
    }
}

static void the_file_is_named_by_the_environment(void **state)
{
    char *path = write_file("slots = 10\n");
    char variable[128];
    char *const environment[] = {variable, NULL};
    DC_AUTO(config_release) struct config config;
    struct dc_err err;

    (void)state;
    (void)snprintf(variable, sizeof(variable), "DOCLE_CONFIG=%s", path);
    config_init(&config);
    assert_int_equal(config_load(&config, environment, &err), 0);
    assert_int_equal(config_number(&config, CONFIG_SLOTS), 10);
    (void)unlink(path);
    free(path);
}

static void a_named_file_must_exist(void **state)
{
    DC_AUTO(config_release) struct config config;
    struct dc_err err;

    (void)state;
    config_init(&config);
    assert_int_equal(config_set_file(&config, "/nonexistent/docle.conf", &err), 0);
    assert_true(config_load(&config, nothing, &err) < 0);
}

static void unknown_keys_are_refused_with_the_nearest(void **state)
{
    (void)state;
    assert_refused("slot = 3\n", "did you mean 'slots'");
    assert_refused("[history]\nday = 3\n", "did you mean 'history.days'");
    assert_refused("[hystory]\ndays = 3\n", "did you mean 'history.days'");
    assert_refused("bananas = 3\n", "docle.conf(5)");
    assert_refused("[history]\nslots = 3\n", "unknown key 'history.slots'");
    assert_refused("slots_file = /dev/null\n", "unknown key 'slots_file'");
    assert_env_refused("DOCLE_SLOT=3", "did you mean 'DOCLE_SLOTS'");
    assert_env_refused("DOCLE_BANANAS=3", "unknown environment variable");
}

static void names_of_others_are_left_alone(void **state)
{
    char *const environment[] = {(char *)"DOCLE_API_KEY=x",
                                 (char *)"DOCLE_ENDPOINT=x",
                                 (char *)"DOCLE_TEST_ANYTHING=x",
                                 (char *)"DOCLE_MUST_WORK=1",
                                 (char *)"PATH=/bin",
                                 (char *)"DOCLER=x",
                                 (char *)"broken",
                                 NULL};
    DC_AUTO(config_release) struct config config;
    struct dc_err err;

    (void)state;
    config_init(&config);
    assert_int_equal(config_load(&config, environment, &err), 0);
}

static void values_have_ranges(void **state)
{
    (void)state;
    assert_refused("slots = 257\n", "from 0 to 256");
    assert_refused("slots = -1\n", "not a whole number");
    assert_refused("slots = 1x\n", "not a whole number");
    assert_refused("slots =\n", "not a whole number");
    assert_refused("slots = 99999999999999999999\n", "not a whole number");
    assert_refused("floor = none\n", "none of: limited standard full");
    assert_refused("floor = limited standard\n", "none of");
    assert_refused("[limits]\ncpus = 1.234\n", "not a number");
    assert_refused("[limits]\ncpus = .\n", "not a number");
    assert_refused("[limits]\ntimeout_ms = 99\n", "from 100 to 300000");
    assert_refused("data_dir =\n", "a path is needed");
    assert_refused("listen = 8787\n", "not HOST:PORT");
    assert_refused("listen = 127.0.0.1:65536\n", "not HOST:PORT");
    assert_refused("listen = ::1:80\n", "not HOST:PORT");
    assert_refused("listen = [::1:80\n", "not HOST:PORT");
    assert_refused("listen = :80\n", "not HOST:PORT");
}

static void mistakes_name_their_line(void **state)
{
    (void)state;
    assert_refused("slots = 3\nnonsense\n", "line 2");
    assert_refused("\n\n[history]\ndays = x\n", "line 4");
    assert_refused("slots = 3\nslots = 4\n", "given twice");
    assert_refused("slots = 3 ; and a comment that goes on for longer than a line may be, which is "
                   "far longer than anybody would type, but a machine that makes such a file might "
                   "well do it, and then the rest would be read as a line of its own\n",
                   "line 1 is longer");
}

static void fractions_are_hundredths(void **state)
{
    static const struct {
        const char *text;
        uint32_t centi;
    } cases[] = {{"1", 100}, {"1.5", 150}, {"0.25", 25}, {"0", 0}, {"2.", 200}};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        DC_AUTO(config_release) struct config config;
        struct dc_err err;

        config_init(&config);
        assert_int_equal(config_set(&config, CONFIG_LIMITS_CPUS, cases[i].text, &err), 0);
        assert_int_equal(config_number(&config, CONFIG_LIMITS_CPUS), cases[i].centi);
    }
}

static void paths_become_absolute(void **state)
{
    DC_AUTO(config_release) struct config config;
    DC_AUTO(config_release) struct config other;
    struct dc_err err;
    char here[1024];
    char wanted[1100];

    (void)state;
    assert_non_null(getcwd(here, sizeof(here)));
    (void)snprintf(wanted, sizeof(wanted), "%s/data", here);
    assert_int_equal(load(&config, "data_dir = data/\n", nothing, &err), 0);
    assert_string_equal(config_text(&config, CONFIG_DATA_DIR), wanted);
    assert_int_equal(setenv("HOME", "/home/somebody", 1), 0);
    config_init(&other);
    assert_int_equal(config_set(&other, CONFIG_ROOT_DIR, "~/root", &err), 0);
    assert_string_equal(config_text(&other, CONFIG_ROOT_DIR), "/home/somebody/root");
}

static void secrets_come_from_files_and_are_not_shown(void **state)
{
    char *path = write_file("very secret\nsecond line\n");
    char variable[128];
    char *const environment[] = {variable, NULL};
    DC_AUTO(dc_buf_release) struct dc_buf out;
    DC_AUTO(config_release) struct config config;
    struct dc_err err;

    (void)state;
    (void)snprintf(variable, sizeof(variable), "DOCLE_METRICS_TOKEN_FILE=%s", path);
    config_init(&config);
    assert_int_equal(config_load(&config, environment, &err), 0);
    assert_string_equal(config_text(&config, CONFIG_METRICS_TOKEN), "very secret");
    for (int json = 0; json < 2; json++) {
        dc_buf_init(&out, 1 << 20);
        config_print(&config, json, &out);
        assert_null(strstr(dc_buf_str(&out), "very secret"));
        assert_non_null(strstr(dc_buf_str(&out), "(set)"));
        dc_buf_release(&out);
    }
    dc_buf_init(&out, 0);
    config_release(&config);
    config_init(&config);
    config.skip_secrets = true;
    assert_int_equal(config_load(&config, environment, &err), 0);
    assert_null(config_text_or_null(&config, CONFIG_METRICS_TOKEN));
    (void)unlink(path);
    free(path);
}

static void the_originals_names_work(void **state)
{
    char *const environment[] = {(char *)"MAX_TIMEOUT_MS=1000", NULL};
    DC_AUTO(config_release) struct config config;
    struct dc_err err;

    (void)state;
    config_init(&config);
    assert_int_equal(config_load(&config, environment, &err), 0);
    assert_int_equal(config_number(&config, CONFIG_LIMITS_TIMEOUT_MS), 1000);
}

/* What is printed is a file that gives the same settings. */
static void the_dump_can_be_read_again(void **state)
{
    DC_AUTO(config_release) struct config config;
    DC_AUTO(config_release) struct config again;
    DC_AUTO(dc_buf_release) struct dc_buf out;
    struct dc_err err;

    (void)state;
    dc_buf_init(&out, 1 << 20);
    assert_int_equal(load(&config, "slots = 9\n[limits]\ncpus = 1.5\n", nothing, &err), 0);
    config_print(&config, false, &out);
    if (load(&again, dc_buf_str(&out), nothing, &err) < 0)
        fail_msg("%s\n%s", err.text, dc_buf_str(&out));
    for (unsigned i = 0; i < CONFIG_KEYS; i++)
        assert_false(config_changed(&config, &again, (enum config_id)i));
}

static void names_are_made_from_one(void **state)
{
    char text[64];

    (void)state;
    config_env_name(CONFIG_SERVER_DRAIN_SECONDS, text, sizeof(text));
    assert_string_equal(text, "DOCLE_SERVER_DRAIN_SECONDS");
    config_flag_name(CONFIG_SERVER_DRAIN_SECONDS, text, sizeof(text));
    assert_string_equal(text, "server-drain-seconds");
    config_flag_name(CONFIG_METRICS_TOKEN, text, sizeof(text));
    assert_string_equal(text, "metrics-token-file");
    for (unsigned i = 0; i < CONFIG_KEYS; i++) {
        assert_non_null(config_keys[i].name);
        assert_non_null(config_keys[i].help);
        assert_int_equal(config_find(config_keys[i].name), i);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_are_valid),
        cmocka_unit_test(flag_beats_environment_beats_file),
        cmocka_unit_test(the_applications_address_follows_the_port),
        cmocka_unit_test(the_file_is_named_by_the_environment),
        cmocka_unit_test(a_named_file_must_exist),
        cmocka_unit_test(unknown_keys_are_refused_with_the_nearest),
        cmocka_unit_test(names_of_others_are_left_alone),
        cmocka_unit_test(values_have_ranges),
        cmocka_unit_test(mistakes_name_their_line),
        cmocka_unit_test(fractions_are_hundredths),
        cmocka_unit_test(paths_become_absolute),
        cmocka_unit_test(secrets_come_from_files_and_are_not_shown),
        cmocka_unit_test(the_originals_names_work),
        cmocka_unit_test(the_dump_can_be_read_again),
        cmocka_unit_test(names_are_made_from_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

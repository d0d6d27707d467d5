#include "packages/spec.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/poison.h"

enum { EXTRAS_MAX = 16, CLAUSES_MAX = 16 };

static const char digits[] = "0123456789";
static const char alnum[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

struct scanner {
    const char *at;
    const char *end;
};

struct part {
    const char *bytes;
    size_t length;
};

const char *package_kind_name(enum package_kind kind)
{
    return kind == PACKAGE_PIP ? "pip" : "npm";
}

static bool is_one_of(char byte, const char *set)
{
    return byte && strchr(set, byte);
}

static bool is_blank(char byte)
{
    return byte == ' ' || byte == '\t';
}

static char lower(char byte)
{
    return byte >= 'A' && byte <= 'Z' ? (char)(byte - 'A' + 'a') : byte;
}

static void skip_blanks(struct scanner *scanner)
{
    while (scanner->at < scanner->end && is_blank(*scanner->at))
        scanner->at++;
}

static void trim(struct part *part)
{
    while (part->length && is_blank(part->bytes[0])) {
        part->bytes++;
        part->length--;
    }
    while (part->length && is_blank(part->bytes[part->length - 1]))
        part->length--;
}

/* Takes the byte when it is the next one. */
static bool take(struct scanner *scanner, char byte)
{
    if (scanner->at == scanner->end || *scanner->at != byte)
        return false;
    scanner->at++;
    return true;
}

static struct part take_all(struct scanner *scanner, const char *first, const char *more)
{
    struct part part = {scanner->at, 0};

    while (scanner->at < scanner->end &&
           (is_one_of(*scanner->at, first) || is_one_of(*scanner->at, more)))
        scanner->at++;
    part.length = (size_t)(scanner->at - part.bytes);
    return part;
}

static bool has(const struct part *part, const char *words)
{
    return memmem(part->bytes, part->length, words, strlen(words)) != NULL;
}

static bool ends(const struct part *part, const char *words)
{
    size_t length = strlen(words);

    return part->length > length && memcmp(part->bytes + part->length - length, words, length) == 0;
}

static bool begins(const struct part *part, const char *words)
{
    size_t length = strlen(words);

    return part->length >= length && memcmp(part->bytes, words, length) == 0;
}

static int refuse(struct dc_err *err, const char *why)
{
    return dc_fail(err, DC_INVALID, 0, "%s", why);
}

static int full(struct dc_err *err)
{
    return dc_fail(err, DC_KERNEL, ENOMEM, "package specification");
}

/* --- what is no name of the registry --------------------------------------------------------- */

/* The same for both: what an installer would take for something else than a name. */
static int check_foreign(enum package_kind kind, const struct part *text, struct dc_err *err)
{
    static const char *const archives[] = {".whl", ".tar.gz", ".tgz", ".zip", ".tar.bz2", ".egg"};

    if (!text->length)
        return refuse(err, "is empty; give the name of a package");
    if (text->length > PACKAGE_SPEC_MAX_BYTES)
        return dc_fail(err, DC_INVALID, 0, "is longer than %d bytes", PACKAGE_SPEC_MAX_BYTES);
    for (size_t i = 0; i < text->length; i++)
        if ((unsigned char)text->bytes[i] >= 0x7f ||
            ((unsigned char)text->bytes[i] < 0x20 && text->bytes[i] != '\t'))
            return refuse(err, "has a character that no package specification has; use plain "
                               "printable ASCII on one line");
    if (text->bytes[0] == '-')
        return refuse(err, "is an option of the installer; options are not taken, give names of "
                           "packages only (the operator chooses the index)");
    if (begins(text, "git+") || begins(text, "git:") || begins(text, "github:") ||
        begins(text, "gitlab:") || begins(text, "bitbucket:") || begins(text, "gist:") ||
        begins(text, "git@"))
        return refuse(err, "is a git address; only packages of the registry are installed, send "
                           "other sources in `files`");
    if (has(text, "://") || (kind == PACKAGE_PIP && has(text, "@")) || begins(text, "http:") ||
        begins(text, "https:") || begins(text, "file:"))
        return kind == PACKAGE_PIP && !has(text, "://")
                   ? refuse(err, "has an @; a version is asked for as name==1.2, and addresses "
                                 "are not taken")
                   : refuse(err, "is an address; only packages of the registry are installed, "
                                 "send other sources in `files`");
    if (is_one_of(text->bytes[0], "./~\\") || has(text, "\\"))
        return refuse(err, "is a path; only packages of the registry are installed, send other "
                           "sources in `files`");
    for (size_t i = 0; i < sizeof(archives) / sizeof(archives[0]); i++)
        if (ends(text, archives[i]))
            return refuse(err, "is the name of an archive; only packages of the registry are "
                               "installed, give name and version");
    return 0;
}

/* --- pip -------------------------------------------------------------------------------------- */

/* PEP 508: letters and digits at both ends, and between them . _ - too. */
static bool take_python_name(struct scanner *scanner, struct part *ret_name)
{
    *ret_name = take_all(scanner, alnum, "._-");
    return ret_name->length && ret_name->length <= PACKAGE_NAME_MAX_BYTES &&
           is_one_of(ret_name->bytes[0], alnum) &&
           is_one_of(ret_name->bytes[ret_name->length - 1], alnum);
}

/* PEP 503: lower case, and each run of . _ - is one hyphen. */
static void put_python_name(struct dc_buf *out, const struct part *name)
{
    for (size_t i = 0; i < name->length; i++) {
        if (!is_one_of(name->bytes[i], "._-"))
            (void)dc_buf_byte(out, lower(name->bytes[i]));
        else if (!is_one_of(name->bytes[i - 1], "._-"))
            (void)dc_buf_byte(out, '-');
    }
}

static int compare_texts(const void *one, const void *two)
{
    return strcmp(*(const char *const *)one, *(const char *const *)two);
}

/* Appends the texts sorted, without doubles, with commas. */
static void put_sorted(struct dc_buf *out, char **texts, size_t count)
{
    bool first = true;

    qsort(texts, count, sizeof(*texts), compare_texts);
    for (size_t i = 0; i < count; i++) {
        if (i && strcmp(texts[i], texts[i - 1]) == 0)
            continue;
        (void)(first || dc_buf_byte(out, ','));
        (void)dc_buf_text(out, texts[i]);
        first = false;
    }
}

static void free_texts(char **texts, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(texts[i]);
}

static char *python_name_text(const struct part *name)
{
    DC_AUTO(dc_buf_release) struct dc_buf out;

    dc_buf_init(&out, PACKAGE_NAME_MAX_BYTES + 1);
    put_python_name(&out, name);
    return out.failed ? NULL : strdup(dc_buf_str(&out));
}

static int take_extras_into(struct scanner *scanner, char **texts, size_t *count,
                            struct dc_err *err)
{
    do {
        struct part extra;

        skip_blanks(scanner);
        if (*count == EXTRAS_MAX)
            return dc_fail(err, DC_INVALID, 0, "has more than %d extras", EXTRAS_MAX);
        if (!take_python_name(scanner, &extra))
            return refuse(err, "has an extra that is no name; write it as name[extra,other]");
        texts[*count] = python_name_text(&extra);
        if (!texts[*count])
            return full(err);
        (*count)++;
        skip_blanks(scanner);
    } while (take(scanner, ','));
    if (!take(scanner, ']'))
        return refuse(err, "has a [ without its ]; extras are written name[extra,other]");
    return 0;
}

static int put_extras(struct scanner *scanner, struct dc_buf *out, struct dc_err *err)
{
    char *texts[EXTRAS_MAX];
    size_t count = 0;
    int result;

    skip_blanks(scanner);
    if (!take(scanner, '['))
        return 0;
    skip_blanks(scanner);
    if (take(scanner, ']'))
        return 0;
    result = take_extras_into(scanner, texts, &count, err);
    if (result == 0) {
        (void)dc_buf_byte(out, '[');
        put_sorted(out, texts, count);
        (void)dc_buf_byte(out, ']');
    }
    free_texts(texts, count);
    return result;
}

/* One "op version" of PEP 440, as text without blanks. */
static int take_clause(struct scanner *scanner, char **ret_text, struct dc_err *err)
{
    static const char *const operators[] = {"===", "==", "~=", "!=", "<=", ">=", "<", ">"};
    DC_AUTO(dc_buf_release) struct dc_buf text;
    struct part comparison;
    struct part version;
    bool known = false;

    dc_buf_init(&text, PACKAGE_SPEC_MAX_BYTES);
    skip_blanks(scanner);
    comparison = take_all(scanner, "<>=!~", "");
    for (size_t i = 0; i < sizeof(operators) / sizeof(operators[0]); i++)
        known |= comparison.length == strlen(operators[i]) &&
                 memcmp(comparison.bytes, operators[i], comparison.length) == 0;
    if (!known)
        return refuse(err, "has no version where one is expected; write it as name==1.2 or "
                           "name>=1,<2");
    skip_blanks(scanner);
    version = take_all(scanner, alnum, "._*+!-");
    if (!version.length || !is_one_of(version.bytes[0], alnum))
        return refuse(err, "has a comparison without a version; write it as name==1.2");
    (void)dc_buf_append(&text, comparison.bytes, comparison.length);
    for (size_t i = 0; i < version.length; i++)
        (void)dc_buf_byte(&text, lower(version.bytes[i]));
    *ret_text = text.failed ? NULL : strdup(dc_buf_str(&text));
    return *ret_text ? 0 : full(err);
}

static int take_clauses(struct scanner *scanner, char **texts, size_t *count, struct dc_err *err)
{
    bool parenthesis;

    skip_blanks(scanner);
    parenthesis = take(scanner, '(');
    if (!parenthesis && (scanner->at == scanner->end || !is_one_of(*scanner->at, "<>=!~")))
        return 0;
    do {
        if (*count == CLAUSES_MAX)
            return dc_fail(err, DC_INVALID, 0, "has more than %d version clauses", CLAUSES_MAX);
        if (take_clause(scanner, &texts[*count], err) < 0)
            return -err->code;
        (*count)++;
        skip_blanks(scanner);
    } while (take(scanner, ','));
    if (parenthesis && !take(scanner, ')'))
        return refuse(err, "has a ( without its )");
    return 0;
}

static int put_versions(struct scanner *scanner, struct dc_buf *out, struct dc_err *err)
{
    char *texts[CLAUSES_MAX];
    size_t count = 0;
    int result = take_clauses(scanner, texts, &count, err);

    if (result == 0)
        put_sorted(out, texts, count);
    free_texts(texts, count);
    return result;
}

/* An environment marker: the installer reads it; here it only must not hold what could be anything
 * else. Runs of blanks become one. */
static int put_marker(struct scanner *scanner, struct dc_buf *out, struct dc_err *err)
{
    struct part marker;

    skip_blanks(scanner);
    if (scanner->at == scanner->end)
        return 0;
    if (!take(scanner, ';'))
        return refuse(err, "goes on behind its version; one entry is one package, such as "
                           "name[extra]>=1,<2");
    marker = (struct part){scanner->at, (size_t)(scanner->end - scanner->at)};
    trim(&marker);
    if (!marker.length)
        return refuse(err, "has a ; without a condition behind it");
    (void)dc_buf_text(out, "; ");
    for (size_t i = 0; i < marker.length; i++) {
        char byte = marker.bytes[i];

        /* A word that begins with - is an option of its line to the installer. */
        if ((!is_one_of(byte, alnum) && !is_one_of(byte, " \t_.'\"<>=!~,()*+-")) ||
            (byte == '-' && (i == 0 || is_blank(marker.bytes[i - 1]))))
            return refuse(err, "has a condition behind ; that is none of Python's environment "
                               "markers");
        if (!is_blank(byte))
            (void)dc_buf_byte(out, byte);
        else if (!is_blank(marker.bytes[i - 1]))
            (void)dc_buf_byte(out, ' ');
    }
    return 0;
}

static int normalise_pip(const struct part *text, struct dc_buf *out, struct dc_err *err)
{
    struct scanner scanner = {text->bytes, text->bytes + text->length};
    struct part name;

    if (!take_python_name(&scanner, &name))
        return refuse(err, "does not begin with the name of a package: letters, digits, and "
                           ". _ - between them");
    if (scanner.at < scanner.end && is_one_of(*scanner.at, "/\\"))
        return refuse(err, "is a path; only packages of the registry are installed, send other "
                           "sources in `files`");
    put_python_name(out, &name);
    if (put_extras(&scanner, out, err) < 0 || put_versions(&scanner, out, err) < 0 ||
        put_marker(&scanner, out, err) < 0)
        return -err->code;
    return out->failed ? full(err) : 0;
}

/* --- npm -------------------------------------------------------------------------------------- */

static bool npm_name_valid(const struct part *name)
{
    if (!name->length || is_one_of(name->bytes[0], "._-"))
        return false;
    for (size_t i = 0; i < name->length; i++)
        if (!is_one_of(name->bytes[i], alnum) && !is_one_of(name->bytes[i], "._~-"))
            return false;
    return true;
}

static int take_npm_name(const struct part *text, struct part *ret_name, struct dc_err *err)
{
    bool scoped = text->bytes[0] == '@';
    const char *at = memchr(text->bytes + 1, '@', text->length - 1);
    struct part name = {text->bytes, at ? (size_t)(at - text->bytes) : text->length};
    const char *slash = memchr(name.bytes, '/', name.length);
    struct part scope = {name.bytes + 1, slash && scoped ? (size_t)(slash - name.bytes) - 1 : 0};
    struct part last = name;

    if (slash) {
        last.bytes = slash + 1;
        last.length = name.length - (size_t)(slash + 1 - name.bytes);
    }
    if (slash && !scoped)
        return refuse(err, "has a slash: that is a path or a git repository; only packages of the "
                           "registry are installed, as name@range or @scope/name@range");
    if ((scoped && (!slash || !npm_name_valid(&scope))) || !npm_name_valid(&last) ||
        name.length > PACKAGE_NAME_MAX_BYTES)
        return refuse(err, "does not begin with the name of a package, such as name or "
                           "@scope/name");
    if (last.length == 12 && memcmp(last.bytes, "node_modules", 12) == 0)
        return refuse(err, "is not the name of a package");
    *ret_name = name;
    return 0;
}

static int put_npm_range(const struct part *text, size_t name_length, struct dc_buf *out,
                         struct dc_err *err)
{
    struct part range = {text->bytes + name_length, text->length - name_length};

    if (range.length) { /* the @ */
        range.bytes++;
        range.length--;
        trim(&range);
        if (!range.length)
            return refuse(err, "ends with an @; write name@range or the name alone");
    }
    if (begins(&range, "npm:"))
        return refuse(err, "is an alias; name the package itself");
    if (has(&range, ":") || has(&range, "/") || has(&range, "#"))
        return refuse(err, "has an address for its version; only packages of the registry are "
                           "installed");
    if (!range.length || (range.length == 6 && memcmp(range.bytes, "latest", 6) == 0))
        return 0;
    (void)dc_buf_byte(out, '@');
    for (size_t i = 0; i < range.length; i++) {
        char byte = range.bytes[i];

        if (!is_one_of(byte, alnum) && !is_one_of(byte, " \t._*+<>=~^|-"))
            return refuse(err, "has a version that is neither a range such as ^1.2 nor a tag");
        if (!is_blank(byte))
            (void)dc_buf_byte(out, byte);
        else if (!is_blank(range.bytes[i - 1]))
            (void)dc_buf_byte(out, ' ');
    }
    return 0;
}

static int normalise_npm(const struct part *text, struct dc_buf *out, struct dc_err *err)
{
    struct part name = {text->bytes, 0};

    if (take_npm_name(text, &name, err) < 0)
        return -err->code;
    (void)dc_buf_append(out, name.bytes, name.length);
    if (put_npm_range(text, name.length, out, err) < 0)
        return -err->code;
    return out->failed ? full(err) : 0;
}

/* --- both ------------------------------------------------------------------------------------- */

int package_spec_normalise(enum package_kind kind, const char *text, size_t length,
                           struct dc_buf *out, struct dc_err *err)
{
    struct part part = {text, length};

    trim(&part);
    if (check_foreign(kind, &part, err) < 0)
        return -err->code;
    return kind == PACKAGE_PIP ? normalise_pip(&part, out, err) : normalise_npm(&part, out, err);
}

size_t package_spec_name_length(enum package_kind kind, const char *normal)
{
    if (kind == PACKAGE_PIP)
        return strcspn(normal, "[<>=!~;");
    return normal[0] ? 1 + strcspn(normal + 1, "@") : 0;
}

bool package_spec_pinned(enum package_kind kind, const char *normal)
{
    const char *version = normal + package_spec_name_length(kind, normal);

    if (kind == PACKAGE_NPM)
        return version[0] == '@' && is_one_of(version[1], digits) &&
               strspn(version + 1, "0123456789.") >= 5 && !strpbrk(version, " |*xX<>~^");
    version += strcspn(version, "=");
    return version[0] == '=' && version[1] == '=' && !strpbrk(version, "*,;");
}

/* Secrets that browsers and mails carry: 256 random bits, of which the store keeps a hash. Pure but
 * for the random numbers; server and CLI. */
#ifndef DOCLE_ACCOUNTS_TOKEN_H
#define DOCLE_ACCOUNTS_TOKEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/hash.h"

enum { TOKEN_SIZE = 68 }; /* "ds_", 64 hex digits, NUL */

enum token_kind { TOKEN_SESSION, TOKEN_LINK, TOKEN_BROWSER }; /* "ds_", "dl_", "db_" */

void token_make(enum token_kind kind, char ret_text[static TOKEN_SIZE],
                uint8_t ret_hash[static STORE_HASH_BYTES]);

/* Has text the form of such a token? Then its hash; nothing else is looked up. */
bool token_read(enum token_kind kind, const char *text, uint8_t ret_hash[static STORE_HASH_BYTES]);

/* Six digits, shown to who asks for a link; and their hash, bound to the address. */
enum { CODE_SIZE = 7 };
void code_make(char ret_code[static CODE_SIZE]);
void code_hash(const char *code, const char *email, uint8_t ret_hash[static STORE_HASH_BYTES]);

#endif

/* docs/openapi.yaml as JSON, embedded when the program is built. */
#ifndef DOCLE_API_CONTRACT_H
#define DOCLE_API_CONTRACT_H

#include <stddef.h>

extern const unsigned char contract_json[];
extern const size_t contract_json_length;

#endif

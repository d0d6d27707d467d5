/* The programs that run in the sandbox of an install. Not NUL-terminated. Made by embed.py. */
#ifndef DOCLE_PACKAGES_INSTALLERS_EMBEDDED_H
#define DOCLE_PACKAGES_INSTALLERS_EMBEDDED_H

#include <stddef.h>

extern const char install_pip_py[];
extern const size_t install_pip_py_length;
extern const char install_npm_js[];
extern const size_t install_npm_js_length;

#endif

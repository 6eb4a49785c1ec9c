/* JSON for the subcommands: reading with jsmn, and writing strings.
 *
 * The input is not trusted. Strings are returned as UTF-8 without control characters, so they may
 * be shown on a terminal. It has no state, so any thread may call it. */
#ifndef TG_COMMAND_JSON_H
#define TG_COMMAND_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define JSMN_HEADER
#define JSMN_PARENT_LINKS
#define JSMN_STRICT
#include <jsmn.h>

/* Splits one object into tokens and returns their number. The first token is the object itself. 0:
 * the text is not an object, or it needs more than `most` tokens. In the result, every key is a
 * string followed by one value. If `tokens` is NULL, the function only counts. */
unsigned tg_json_parse(const char *text, size_t length, jsmntok_t *tokens, unsigned most);

/* The first token after this one and its contents. */
unsigned tg_json_next(const jsmntok_t *tokens, unsigned count, unsigned token);

/* Whether the token is this string. */
bool tg_json_is(const char *text, const jsmntok_t *token, const char *string);

/* Decodes the string in place and ends it with a NUL. NULL: the token is not a string. Call it once
 * for each token. */
char *tg_json_string(char *text, const jsmntok_t *token);

/* False: the token is not a natural number, or it is too large. */
bool tg_json_number(const char *text, const jsmntok_t *token, uint64_t *number);

/* Replaces control characters and invalid UTF-8 by '?', like the guard's own emitter. Returns how
 * many bytes it has replaced. */
size_t tg_tame(char *string);

/* Writes a string after tg_tame has cleaned it, and null for NULL. The output is safe in a script
 * of an HTML page. */
void tg_json_write(FILE *out, const char *string);

#endif

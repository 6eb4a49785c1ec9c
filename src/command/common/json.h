/* JSON for the subcommands: reading with jsmn, and writing strings.
 *
 * What is read is trusted with nothing: strings come out as UTF-8 without control characters, so they may be shown on a
 * terminal. No state: any thread. */
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

/* Splits one object into tokens, the object itself the first; how many. 0: it is none, or needs more than `most`. With
 * tokens NULL only counts them. Every key is a string with one value behind it. */
unsigned tg_json_parse(const char *text, size_t length, jsmntok_t *tokens, unsigned most);

/* The token behind that one and all that is in it. */
unsigned tg_json_next(const jsmntok_t *tokens, unsigned count, unsigned token);

/* Whether the token is this string. */
bool tg_json_is(const char *text, const jsmntok_t *token, const char *string);

/* The string, decoded in its place and ended with a NUL there; NULL: the token is none. Once for each token. */
char *tg_json_string(char *text, const jsmntok_t *token);

/* False: the token is no natural number that fits. */
bool tg_json_number(const char *text, const jsmntok_t *token, uint64_t *number);

/* Makes '?' of control characters and of what is no UTF-8, as the guard's own emitter does. */
void tg_tame(char *string);

/* Writes a string, tamed, NULL as null. It may stand in a script of an HTML page. */
void tg_json_write(FILE *out, const char *string);

#endif

/* A line of text built in a fixed buffer and written with one write(2).
 *
 * For messages only: no allocation, no stdio, no locale, errno left as it was; safe at exit and in a signal
 * handler. What does not fit is cut off, the line end never. Not shared between threads. */
#ifndef TG_BASE_TEXT_H
#define TG_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tg_text {
  size_t length;
  char bytes[1024];
};

/* Empties the text and starts it with the prefix "tsfn-guard[pid]: ". */
void tg_text_start(struct tg_text *text);

/* Puts a NUL behind what is there so far; the string. */
const char *tg_text_string(struct tg_text *text);

/* `string` may be NULL (nothing is added). What tg_shown_length refuses becomes '?', so that a name chosen by an addon
 * cannot forge lines. Cold: lines are few, and their code need not be fast but small. */
__attribute__((cold)) void tg_text_add(struct tg_text *text, const char *string);
__attribute__((cold)) void tg_text_add_bytes(struct tg_text *text, const char *bytes, size_t length);
__attribute__((cold)) void tg_text_add_number(struct tg_text *text, uint64_t number);

enum { TG_DIGITS_MAX = 20 };

/* The decimal digits of a number, and how many they are; no NUL. */
size_t tg_format_number(uint64_t number, char digits[TG_DIGITS_MAX]);

/* The length of the character at `text`, which ends with a NUL, if people may be shown it; 0: it is no well-formed UTF-8,
 * or it steers terminals or the direction of text. Each byte of such a one becomes '?'. */
size_t tg_shown_length(const char *text);

/* Copies a string, cut to `size` with its NUL. */
void tg_copy_string(char *to, size_t size, const char *from);

/* As tg_copy_string, but keeps the end of a long string: of a path that tells most. */
void tg_copy_end(char *to, size_t size, const char *from);

/* Whether a pattern of `length` bytes, with * for any bytes and ? for one, fits a path or its last part. */
bool tg_glob_fits_path(const char *pattern, size_t length, const char *path);

/* Ends the line and writes it to stderr. */
void tg_text_write(struct tg_text *text);

#endif

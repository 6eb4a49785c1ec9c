/* A line of text, built in a fixed buffer and written with one write(2).
 *
 * For messages only: no allocation, no stdio, no locale; errno is preserved; safe at exit and in a
 * signal handler. Text that does not fit is cut off, but the line end never is. Not shared between
 * threads. */
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

/* Terminates the text with a NUL and returns it. */
const char *tg_text_string(struct tg_text *text);

/* `string` may be NULL, which adds nothing. Bytes that tg_shown_length rejects become '?', so a
 * name chosen by an addon cannot forge lines. Cold: messages are rare, so small code is better than
 * fast code. */
__attribute__((cold)) void tg_text_add(struct tg_text *text, const char *string);
__attribute__((cold)) void tg_text_add_bytes(struct tg_text *text, const char *bytes,
                                             size_t length);
__attribute__((cold)) void tg_text_add_number(struct tg_text *text, uint64_t number);

enum { TG_DIGITS_MAX = 20 };

/* Writes the decimal digits of a number, without a NUL, and returns how many there are. */
size_t tg_format_number(uint64_t number, char digits[TG_DIGITS_MAX]);

/* The length of the character at `text`, a string that ends with a NUL. 0: the character must not
 * be shown, because it is not well-formed UTF-8, or because it controls terminals or the text
 * direction. Then each of its bytes becomes '?'. */
size_t tg_shown_length(const char *text);

/* Copies a string, truncated to `size` bytes including its NUL. */
void tg_copy_string(char *to, size_t size, const char *from);

/* Like tg_copy_string, but keeps the end of a long string: the end of a path is the useful part. */
void tg_copy_end(char *to, size_t size, const char *from);

/* The last part of a path. */
const char *tg_base_name(const char *path);

/* Whether a pattern of `length` bytes matches a path or its last component; * matches any bytes,
 * and ? matches one byte. */
bool tg_glob_fits_path(const char *pattern, size_t length, const char *path);

/* Ends the line and writes it to stderr. */
void tg_text_write(struct tg_text *text);

#endif

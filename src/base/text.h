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

/* `string` may be NULL (nothing is added). Control characters become '?', so that a name chosen by an addon
 * cannot forge lines. */
void tg_text_add(struct tg_text *text, const char *string);
void tg_text_add_bytes(struct tg_text *text, const char *bytes, size_t length);
void tg_text_add_number(struct tg_text *text, uint64_t number);

enum { TG_DIGITS_MAX = 20 };

/* The decimal digits of a number, and how many they are; no NUL. */
size_t tg_format_number(uint64_t number, char digits[TG_DIGITS_MAX]);

/* The length of the well-formed UTF-8 sequence at `bytes`, which end with a NUL; 0: there is none, or it is one of the
 * control characters from U+0080 on, of which U+009B steers terminals as ESC [ does. */
size_t tg_utf8_length(const char *bytes);

/* Copies a string, cut to `size` with its NUL. */
void tg_copy_string(char *to, size_t size, const char *from);

/* As tg_copy_string, but keeps the end of a long string: of a path that tells most. */
void tg_copy_end(char *to, size_t size, const char *from);

/* Whether a pattern of `length` bytes, with * for any bytes and ? for one, fits a path or its last part. */
bool tg_glob_fits_path(const char *pattern, size_t length, const char *path);

/* Ends the line and writes it to stderr. */
void tg_text_write(struct tg_text *text);

/* Writes all of it, with one write(2) where the file takes it at once. False: the file takes no more. */
bool tg_write_all(int file, const char *bytes, size_t length);

#endif

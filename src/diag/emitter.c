/* Implements the two forms of the emitter. */
#include "diag/emitter.h"

#include <string.h>

#include "base/text.h"

/* Reserved for the end of a list, the end of a group, the mark that something is missing, the end
 * of the object and the end of the line. */
enum { CLOSING_SIZE = 40 };

static void emit_bytes(struct tg_emitter *emitter, const char *bytes, size_t length) {
  if (length > emitter->capacity - emitter->length) {
    emitter->truncated = true;
    return;
  }
  memcpy(emitter->bytes + emitter->length, bytes, length);
  emitter->length += length;
}

static void emit_text(struct tg_emitter *emitter, const char *string) {
  emit_bytes(emitter, string, strlen(string));
}

/* Control characters and invalid UTF-8 become '?' (base/text.h) in both forms: a name chosen by an
 * addon or a thread can neither forge lines nor break a reader. */
static void emit_escaped(struct tg_emitter *emitter, const char *string) {
  while (*string != '\0') {
    size_t length = tg_shown_length(string);
    if (length == 0)
      emit_text(emitter, "?");
    else if (emitter->format == TG_FORMAT_JSON && (*string == '"' || *string == '\\'))
      emit_bytes(emitter, (const char[]){'\\', *string}, 2);
    else
      emit_bytes(emitter, string, length);
    string += length == 0 ? 1 : length;
  }
}

static void emit_digits(struct tg_emitter *emitter, uint64_t number) {
  char digits[TG_DIGITS_MAX];
  size_t length = tg_format_number(number, digits);
  emit_bytes(emitter, digits, length);
}

static bool is_json(const struct tg_emitter *emitter) {
  return emitter->format == TG_FORMAT_JSON;
}

void tg_emit_open(struct tg_emitter *emitter, enum tg_format format, char *bytes, size_t size,
                  const char *prefix, const char *headline) {
  *emitter = (struct tg_emitter){.format = format,
                                 .prefix = prefix,
                                 .bytes = bytes,
                                 .capacity = size - CLOSING_SIZE,
                                 .first = true};
  emit_text(emitter, is_json(emitter) ? "{" : prefix);
  if (!is_json(emitter)) emit_text(emitter, headline);
}

static void emit_line_start(struct tg_emitter *emitter, const char *indent) {
  emit_text(emitter, "\n");
  emit_text(emitter, emitter->prefix);
  emit_text(emitter, indent);
}

static void emit_group_end(struct tg_emitter *emitter) {
  emitter->capacity += emitter->kept;
  emitter->kept = 0;
  if (!is_json(emitter)) return;
  emitter->capacity += 2; /* reserved by emit_group_start */
  if (emitter->in_list) emit_text(emitter, "]");
  if (emitter->in_group) emit_text(emitter, "}");
}

/* False: not even an empty group fits, and none was started. */
static bool emit_group_start(struct tg_emitter *emitter, const char *name, const char *bracket) {
  if (emitter->in_group || emitter->in_list) emit_group_end(emitter);
  emitter->in_group = emitter->in_list = false;
  size_t before = emitter->length;
  bool truncated = emitter->truncated;
  emitter->truncated = false;
  if (is_json(emitter)) {
    emit_text(emitter, before == 1 ? "\"" : ",\"");
    emit_text(emitter, name);
    emit_text(emitter, "\":");
    emit_text(emitter, bracket);
    emitter->capacity -= 2;
  } else {
    emit_line_start(emitter, "  ");
    emit_text(emitter, name);
    emit_text(emitter, ":");
  }
  bool fits = !emitter->truncated && emitter->length <= emitter->capacity;
  if (!fits) {
    emitter->length = before;
    if (is_json(emitter)) emitter->capacity += 2;
  }
  emitter->truncated = truncated || !fits;
  emitter->first = true;
  return fits;
}

void tg_emit_group(struct tg_emitter *emitter, const char *name) {
  emitter->in_group = emit_group_start(emitter, name, "{");
  emitter->group_lost = !emitter->in_group;
}

void tg_emit_list(struct tg_emitter *emitter, const char *name, size_t keep) {
  emitter->items = 0;
  emitter->group_lost = emitter->list_full = false;
  emitter->in_list = emit_group_start(emitter, name, "[");
  size_t space = emitter->capacity - emitter->length;
  if (!emitter->in_list) return;
  emitter->kept = keep < space ? keep : space;
  emitter->capacity -= emitter->kept;
}

/* The state before a field. It is restored if the field does not fit. */
struct mark {
  size_t length;
  bool first;
  bool truncated;
};

static struct mark emit_field_start(struct tg_emitter *emitter) {
  struct mark mark = {emitter->length, emitter->first, emitter->truncated};
  emitter->truncated = false;
  bool top = !emitter->in_group && !emitter->in_list;
  if (is_json(emitter))
    emit_text(emitter, emitter->first && (!top || emitter->length == 1) ? "" : ",");
  else if (emitter->in_list)
    emit_line_start(emitter, "    ");
  else if (top)
    emit_line_start(emitter, "  ");
  else
    emit_text(emitter, emitter->first ? " " : ", ");
  return mark;
}

static void emit_field_end(struct tg_emitter *emitter, struct mark mark) {
  bool fits = !emitter->truncated && !emitter->group_lost;
  if (!fits) emitter->length = mark.length;
  emitter->first = fits ? false : mark.first;
  emitter->truncated = mark.truncated || !fits;
}

static void emit_field_name(struct tg_emitter *emitter, const char *name) {
  bool top = !emitter->in_group && !emitter->in_list;
  if (is_json(emitter)) emit_text(emitter, "\"");
  emit_text(emitter, name);
  emit_text(emitter, is_json(emitter) ? "\":" : top ? ": " : " ");
}

static void emit_quoted(struct tg_emitter *emitter, const char *value) {
  if (is_json(emitter)) emit_text(emitter, "\"");
  emit_escaped(emitter, value);
  if (is_json(emitter)) emit_text(emitter, "\"");
}

void tg_emit_item(struct tg_emitter *emitter, const char *value) {
  if (!emitter->in_list || emitter->list_full) return;
  struct mark mark = emit_field_start(emitter);
  if (!is_json(emitter)) {
    emit_text(emitter, "#");
    emit_digits(emitter, emitter->items);
    emit_text(emitter, " ");
  }
  emit_quoted(emitter, value);
  emitter->list_full = emitter->truncated;
  emit_field_end(emitter, mark);
  emitter->items++;
}

void tg_emit_string(struct tg_emitter *emitter, const char *name, const char *value) {
  if (value == NULL) {
    tg_emit_null(emitter, name);
    return;
  }
  struct mark mark = emit_field_start(emitter);
  emit_field_name(emitter, name);
  emit_quoted(emitter, value);
  emit_field_end(emitter, mark);
}

void tg_emit_number(struct tg_emitter *emitter, const char *name, uint64_t value) {
  struct mark mark = emit_field_start(emitter);
  emit_field_name(emitter, name);
  emit_digits(emitter, value);
  emit_field_end(emitter, mark);
}

static void emit_bare_word(struct tg_emitter *emitter, const char *name, const char *word) {
  struct mark mark = emit_field_start(emitter);
  emit_field_name(emitter, name);
  emit_text(emitter, word);
  emit_field_end(emitter, mark);
}

void tg_emit_bool(struct tg_emitter *emitter, const char *name, bool value) {
  const char *word = is_json(emitter) ? (value ? "true" : "false") : (value ? "yes" : "no");
  emit_bare_word(emitter, name, word);
}

void tg_emit_null(struct tg_emitter *emitter, const char *name) {
  if (is_json(emitter)) emit_bare_word(emitter, name, "null");
}

size_t tg_emit_close(struct tg_emitter *emitter) {
  if (emitter->in_group || emitter->in_list) emit_group_end(emitter);
  emitter->in_group = emitter->in_list = false;
  emitter->capacity += CLOSING_SIZE;
  if (is_json(emitter)) emit_text(emitter, emitter->truncated ? ",\"truncated\":true}" : "}");
  if (!is_json(emitter) && emitter->truncated) emit_text(emitter, " (more did not fit)");
  emit_text(emitter, "\n");
  return emitter->length;
}

/* Implements the emitter's two forms. */
#include "diag/emitter.h"

#include <string.h>

#include "base/text.h"

/* Kept for: end of list, end of group, the word that something is missing, end of object, end of line. */
enum { CLOSING_SIZE = 40 };

static void put_bytes(struct tg_emitter *emitter, const char *bytes, size_t length) {
  if (length > emitter->capacity - emitter->length) {
    emitter->truncated = true;
    return;
  }
  memcpy(emitter->bytes + emitter->length, bytes, length);
  emitter->length += length;
}

static void put(struct tg_emitter *emitter, const char *string) {
  put_bytes(emitter, string, strlen(string));
}

/* Control characters and what is no UTF-8 become '?' (base/text.h), in both forms: a name that an addon or a thread chose
 * neither forges lines nor breaks a reader. */
static void put_escaped(struct tg_emitter *emitter, const char *string) {
  while (*string != '\0') {
    size_t length = tg_shown_length(string);
    if (length == 0)
      put(emitter, "?");
    else if (emitter->format == TG_FORMAT_JSON && (*string == '"' || *string == '\\'))
      put_bytes(emitter, (const char[]){'\\', *string}, 2);
    else
      put_bytes(emitter, string, length);
    string += length == 0 ? 1 : length;
  }
}

static void put_number(struct tg_emitter *emitter, uint64_t number) {
  char digits[TG_DIGITS_MAX];
  size_t length = tg_format_number(number, digits);
  put_bytes(emitter, digits, length);
}

static bool is_json(const struct tg_emitter *emitter) {
  return emitter->format == TG_FORMAT_JSON;
}

void tg_emit_open(struct tg_emitter *emitter, enum tg_format format, char *bytes, size_t size,
                  const char *prefix, const char *headline) {
  *emitter = (struct tg_emitter){
      .format = format, .prefix = prefix, .bytes = bytes, .capacity = size - CLOSING_SIZE, .first = true};
  put(emitter, is_json(emitter) ? "{" : prefix);
  if (!is_json(emitter)) put(emitter, headline);
}

static void begin_line(struct tg_emitter *emitter, const char *indent) {
  put(emitter, "\n");
  put(emitter, emitter->prefix);
  put(emitter, indent);
}

static void end_group(struct tg_emitter *emitter) {
  emitter->capacity += emitter->kept;
  emitter->kept = 0;
  if (!is_json(emitter)) return;
  emitter->capacity += 2; /* kept for this by begin_group */
  if (emitter->in_list) put(emitter, "]");
  if (emitter->in_group) put(emitter, "}");
}

/* False: there is no room even for an empty group, and none was begun. */
static bool begin_group(struct tg_emitter *emitter, const char *name, const char *bracket) {
  if (emitter->in_group || emitter->in_list) end_group(emitter);
  emitter->in_group = emitter->in_list = false;
  size_t before = emitter->length;
  bool truncated = emitter->truncated;
  emitter->truncated = false;
  if (is_json(emitter)) {
    put(emitter, before == 1 ? "\"" : ",\"");
    put(emitter, name);
    put(emitter, "\":");
    put(emitter, bracket);
    emitter->capacity -= 2;
  } else {
    begin_line(emitter, "  ");
    put(emitter, name);
    put(emitter, ":");
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
  emitter->in_group = begin_group(emitter, name, "{");
  emitter->group_lost = !emitter->in_group;
}

void tg_emit_list(struct tg_emitter *emitter, const char *name, size_t keep) {
  emitter->items = 0;
  emitter->group_lost = emitter->list_full = false;
  emitter->in_list = begin_group(emitter, name, "[");
  size_t room = emitter->capacity - emitter->length;
  if (!emitter->in_list) return;
  emitter->kept = keep < room ? keep : room;
  emitter->capacity -= emitter->kept;
}

/* What a field began with, so that one which does not fit can be taken back as a whole. */
struct mark {
  size_t length;
  bool first;
  bool truncated;
};

static struct mark begin_field(struct tg_emitter *emitter) {
  struct mark mark = {emitter->length, emitter->first, emitter->truncated};
  emitter->truncated = false;
  bool top = !emitter->in_group && !emitter->in_list;
  if (is_json(emitter))
    put(emitter, emitter->first && (!top || emitter->length == 1) ? "" : ",");
  else if (emitter->in_list)
    begin_line(emitter, "    ");
  else if (top)
    begin_line(emitter, "  ");
  else
    put(emitter, emitter->first ? " " : ", ");
  return mark;
}

static void end_field(struct tg_emitter *emitter, struct mark mark) {
  bool fits = !emitter->truncated && !emitter->group_lost;
  if (!fits) emitter->length = mark.length;
  emitter->first = fits ? false : mark.first;
  emitter->truncated = mark.truncated || !fits;
}

static void put_name(struct tg_emitter *emitter, const char *name) {
  bool top = !emitter->in_group && !emitter->in_list;
  if (is_json(emitter)) put(emitter, "\"");
  put(emitter, name);
  put(emitter, is_json(emitter) ? "\":" : top ? ": " : " ");
}

static void put_quoted(struct tg_emitter *emitter, const char *value) {
  if (is_json(emitter)) put(emitter, "\"");
  put_escaped(emitter, value);
  if (is_json(emitter)) put(emitter, "\"");
}

void tg_emit_item(struct tg_emitter *emitter, const char *value) {
  if (!emitter->in_list || emitter->list_full) return;
  struct mark mark = begin_field(emitter);
  if (!is_json(emitter)) {
    put(emitter, "#");
    put_number(emitter, emitter->items);
    put(emitter, " ");
  }
  put_quoted(emitter, value);
  emitter->list_full = emitter->truncated;
  end_field(emitter, mark);
  emitter->items++;
}

void tg_emit_string(struct tg_emitter *emitter, const char *name, const char *value) {
  if (value == NULL) {
    tg_emit_null(emitter, name);
    return;
  }
  struct mark mark = begin_field(emitter);
  put_name(emitter, name);
  put_quoted(emitter, value);
  end_field(emitter, mark);
}

void tg_emit_number(struct tg_emitter *emitter, const char *name, uint64_t value) {
  struct mark mark = begin_field(emitter);
  put_name(emitter, name);
  put_number(emitter, value);
  end_field(emitter, mark);
}

static void emit_word(struct tg_emitter *emitter, const char *name, const char *word) {
  struct mark mark = begin_field(emitter);
  put_name(emitter, name);
  put(emitter, word);
  end_field(emitter, mark);
}

void tg_emit_bool(struct tg_emitter *emitter, const char *name, bool value) {
  const char *word = is_json(emitter) ? (value ? "true" : "false") : (value ? "yes" : "no");
  emit_word(emitter, name, word);
}

void tg_emit_null(struct tg_emitter *emitter, const char *name) {
  if (is_json(emitter)) emit_word(emitter, name, "null");
}

size_t tg_emit_close(struct tg_emitter *emitter) {
  if (emitter->in_group || emitter->in_list) end_group(emitter);
  emitter->in_group = emitter->in_list = false;
  emitter->capacity += CLOSING_SIZE;
  if (is_json(emitter)) put(emitter, emitter->truncated ? ",\"truncated\":true}" : "}");
  if (!is_json(emitter) && emitter->truncated) put(emitter, " (more did not fit)");
  put(emitter, "\n");
  return emitter->length;
}

/* Implements the reading of logs. */
#include "command/report/report_read.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "command/common/complain.h"
#include "command/common/same_file.h"
#include "command/common/stack_frame.h"
#include "command/common/tables.h"
#include "command/report/report_text_log.h"
#include "command/report/report_wrapper.h"

enum { BUFFER_SIZE = 1 << 20 };

/* --- Opening */

static int complain_file(const char *name, const char *found) {
  char text[512];
  snprintf(text, sizeof text, "%s: %s", name, found);
  return tg_complain(TG_EXIT_USAGE, "logs that can be read", text,
                     "correct the name, make it readable, or omit it");
}

/* Returns the time of the line, or INT64_MAX if the line is no report. */
static int64_t time_of(char *text, size_t length) {
  struct tg_line line;
  struct tg_unwrapped piece = tg_unwrap(text, length);
  int64_t time = tg_text_log_time(piece.text, piece.length);
  if (time != TG_UNKNOWN) return time;
  return tg_line_parse(piece.text, piece.length, &line) == TG_LINE_OURS ? line.time : INT64_MAX;
}

/* Reads the complete lines up to the first report. Returns how many bytes these lines have. */
static size_t find_first_time(char *bytes, size_t size, int64_t *first) {
  size_t start = 0;
  char *end;
  while (*first == INT64_MAX && (end = memchr(bytes + start, '\n', size - start)) != NULL) {
    size_t length = (size_t)(end - bytes) - start;
    *first = time_of(bytes + start, length);
    start += length + 1;
  }
  return start;
}

/* Returns the time of the first report, or INT64_MAX if there is none. Much output of the program
 * may come before it, so the whole file is searched. Does not change the position in the file. */
static int64_t peek_first_time(int file) {
  char *bytes = tg_resize(NULL, TG_LINE_MAX, 1);
  int64_t first = INT64_MAX;
  off_t at = 0;
  ssize_t got;
  while (first == INT64_MAX && (got = pread(file, bytes, TG_LINE_MAX, at)) > 0) {
    size_t whole = find_first_time(bytes, (size_t)got, &first);
    at += whole != 0 ? (ssize_t)whole : got;
  }
  free(bytes);
  return first;
}

static int complain_core(const char *name) {
  char found[512];
  snprintf(found, sizeof found, "%s: a core file, or a program", name);
  return tg_complain(TG_EXIT_USAGE, "logs that the guard wrote", found,
                     "ask what a crash was: tsfn-guard triage FILE");
}

static int check_kind(const struct tg_input *input, const struct stat *status) {
  unsigned char magic[4] = {0};
  if (S_ISDIR(status->st_mode)) return complain_file(input->name, "a directory");
  if (!S_ISREG(status->st_mode) || pread(input->file, magic, sizeof magic, 0) != sizeof magic)
    return 0;
  if (memcmp(magic,
             "\x7f"
             "ELF",
             sizeof magic) == 0)
    return complain_core(input->name);
  bool gzip = magic[0] == 0x1f && magic[1] == 0x8b;
  bool zstd = memcmp(magic, "\x28\xb5\x2f\xfd", sizeof magic) == 0;
  bool xz = memcmp(magic,
                   "\xfd"
                   "7zX",
                   sizeof magic) == 0;
  if (!gzip && !zstd && !xz) return 0;
  char found[512], remedy[256];
  snprintf(found, sizeof found, "%s: it is compressed", input->name);
  snprintf(remedy, sizeof remedy, "%s FILE | tsfn-guard report -",
           gzip   ? "zcat"
           : zstd ? "zstdcat"
                  : "xzcat");
  return tg_complain(TG_EXIT_USAGE, "plain lines of JSON", found, remedy);
}

static int open_one(struct tg_input *input, struct stat *status) {
  bool is_stdin = strcmp(input->name, "-") == 0;
  input->first = INT64_MAX;
  input->size = 0;
  input->file = is_stdin ? STDIN_FILENO : open(input->name, O_RDONLY | O_CLOEXEC | O_NOCTTY);
  if (input->file < 0 || fstat(input->file, status) != 0)
    return complain_file(input->name, strerror(errno));
  int problem = check_kind(input, status);
  if (!S_ISREG(status->st_mode) || problem != 0) return problem;
  input->size = (uint64_t)status->st_size;
  if (is_stdin) return 0;
  input->first = peek_first_time(input->file);
  close(input->file);
  input->file = -1;
  return 0;
}

static int by_first(const void *a, const void *b) {
  const struct tg_input *one = a, *other = b;
  return (one->first > other->first) - (one->first < other->first);
}

int tg_inputs_open(struct tg_input *inputs, size_t *count) {
  struct stat *statuses = calloc(*count + 1, sizeof *statuses);
  size_t kept = 0;
  int problem = 0;
  for (size_t i = 0; i < *count && problem == 0; i++) {
    struct tg_input input = inputs[i];
    problem = open_one(&input, &statuses[kept]);
    size_t same = 0;
    while (same < kept && !tg_is_same_file(&statuses[same], &statuses[kept])) same++;
    if (same == kept) inputs[kept++] = input;
  }
  free(statuses);
  *count = kept;
  qsort(inputs, kept, sizeof *inputs, by_first);
  return problem;
}

/* --- Progress */

static bool progress_shown;

static double now(void) {
  return (double)tg_nanoseconds(CLOCK_MONOTONIC) / 1e9;
}

static void show_progress(const struct tg_read_counts *counts, uint64_t total) {
  static double started, shown;
  double time = now();
  if (started == 0) started = shown = time;
  if (time - shown < (progress_shown ? 0.2 : 1.0) || !isatty(STDERR_FILENO)) return;
  shown = time;
  progress_shown = true;
  double rate = (double)counts->bytes / 1e6 / (time - started);
  fprintf(stderr, "\r\033[K%" PRIu64 " MB", counts->bytes / 1000000);
  if (total != 0)
    fprintf(stderr, " of %" PRIu64 ", %.0f %%", total / 1000000,
            100.0 * (double)counts->bytes / (double)total);
  fprintf(stderr, ", %" PRIu64 " lines, %.0f MB/s", counts->lines, rate);
}

void tg_progress_end(void) {
  if (progress_shown) fputs("\r\033[K", stderr);
  progress_shown = false;
}

/* --- Lines */

struct reading {
  struct tg_read_counts *counts;
  void (*take)(void *argument, const struct tg_line *line);
  void *argument;
  struct tg_text_log *text_log;
  const char *name; /* of the input */
  char *buffer;
  size_t start, end; /* the part of the buffer that was not taken yet */
  bool skipping;     /* until the end of a line that is too long */
};

/* Whether the line is a frame, as debuggers and Node print it at a crash. Such frames are for
 * tsfn-guard triage. */
static bool is_frame(const char *text, size_t length) {
  struct tg_trace_frame frame;
  char line[300];
  if (length >= sizeof line) return false;
  memcpy(line, text, length);
  line[length] = '\0';
  return tg_trace_frame_parse(line, TG_NO_NUMBER, &frame) && !frame.is_bare && frame.address != 0 &&
         frame.function[0] != '\0';
}

static void take_ours(void *argument, const struct tg_line *line) {
  struct reading *reading = argument;
  reading->counts->ours++;
  reading->take(reading->argument, line);
}

/* Takes a line that is not the guard's JSON. It is a report as text, or output of the program. */
static void take_text(struct reading *reading, const struct tg_unwrapped *piece) {
  struct tg_read_counts *counts = reading->counts;
  enum tg_text_verdict verdict =
      tg_text_log_add(reading->text_log, piece->text, piece->length, piece->time);
  if (verdict == TG_TEXT_ODD) counts->text++;
  if (verdict != TG_TEXT_OTHER) return;
  counts->other++;
  if (counts->ours == 0 && counts->frames == 0 && is_frame(piece->text, piece->length))
    counts->frames++;
}

static void take_too_long(struct reading *reading, const char *text, size_t length) {
  if (tg_line_is_report(text, length))
    reading->counts->report = reading->name;
  else
    reading->counts->too_long++;
}

static void take_line(struct reading *reading, char *text, size_t length, bool has_end) {
  struct tg_line line;
  struct tg_read_counts *counts = reading->counts;
  counts->lines++;
  if (length > TG_LINE_MAX || tg_line_is_report(text, length)) {
    take_too_long(reading, text, length);
    return;
  }
  struct tg_unwrapped piece = tg_unwrap(text, length);
  switch (tg_line_parse(piece.text, piece.length, &line)) {
    case TG_LINE_OURS:
      take_ours(reading, &line);
      break;
    case TG_LINE_OTHER:
    case TG_LINE_TEXT:
      take_text(reading, &piece);
      break;
    case TG_LINE_NEWER:
      counts->newer++;
      break;
    case TG_LINE_BROKEN:
      (*(has_end ? &counts->broken : &counts->cut))++;
      break;
  }
}

/* Takes all complete lines in the buffer, and makes space at its end. */
static void take_lines(struct reading *reading) {
  char *newline, *buffer = reading->buffer;
  while ((newline = memchr(buffer + reading->start, '\n', reading->end - reading->start)) != NULL) {
    size_t length = (size_t)(newline - buffer) - reading->start;
    if (!reading->skipping) take_line(reading, buffer + reading->start, length, true);
    reading->skipping = false;
    reading->start += length + 1;
  }
  size_t left = reading->end - reading->start;
  if (left > TG_LINE_MAX && !reading->skipping) {
    reading->skipping = true;
    reading->counts->lines++;
    take_too_long(reading, buffer + reading->start, left);
  }
  if (reading->skipping) left = 0;
  memmove(buffer, buffer + reading->start, left);
  reading->start = 0;
  reading->end = left;
}

/* Returns the time of the last write to the file. It is used for reports without a time. */
static int64_t last_write(int file) {
  struct stat status;
  return fstat(file, &status) == 0 ? (int64_t)status.st_mtime * 1000 : 0;
}

int tg_input_read(struct tg_input *input, struct tg_read_counts *counts, uint64_t total,
                  void (*take)(void *argument, const struct tg_line *line), void *argument) {
  struct reading reading = {
      .counts = counts, .take = take, .argument = argument, .name = input->name};
  if (input->file < 0) input->file = open(input->name, O_RDONLY | O_CLOEXEC | O_NOCTTY);
  if (input->file < 0) return complain_file(input->name, strerror(errno));
  reading.buffer = tg_resize(NULL, BUFFER_SIZE, 1);
  reading.text_log = tg_text_log_open(last_write(input->file), take_ours, &reading);
  ssize_t got;
  do {
    got = read(input->file, reading.buffer + reading.end, BUFFER_SIZE - reading.end);
    if (got <= 0) continue;
    counts->bytes += (uint64_t)got;
    reading.end += (size_t)got;
    take_lines(&reading);
    show_progress(counts, total);
  } while (got > 0 || (got < 0 && errno == EINTR));
  int error = errno;
  if (reading.end != 0) take_line(&reading, reading.buffer, reading.end, false);
  counts->text += tg_text_log_close(reading.text_log);
  free(reading.buffer);
  if (input->file != STDIN_FILENO) close(input->file);
  tg_progress_end();
  return got == 0 ? 0 : complain_file(input->name, strerror(error));
}

/* Implements closing_notice.h: the last handles of each thread, in a ring, and a counter. */
#include "core/closing_notice.h"

static _Thread_local struct {
  napi_threadsafe_function handles[TG_CLOSING_NOTICES];
  unsigned next;
} notices;

bool tg_record_closing_notice(napi_threadsafe_function handle) {
  for (unsigned i = 0; i < TG_CLOSING_NOTICES; i++)
    if (notices.handles[i] == handle) return true;
  notices.handles[notices.next] = handle;
  notices.next = (notices.next + 1) % TG_CLOSING_NOTICES;
  return false;
}

static _Thread_local unsigned false_answers; /* since the last true one */

bool tg_count_false_answer(void) {
  bool is_false = false_answers < TG_FALSE_ANSWERS_MAX;
  false_answers = is_false ? false_answers + 1 : 0;
  return is_false;
}

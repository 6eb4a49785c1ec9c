/* Implements the thread's memory of closing_notice.h. */
#include "core/closing_notice.h"

static _Thread_local struct {
  napi_threadsafe_function handles[TG_CLOSING_NOTICES];
  unsigned next;
} told;

bool tg_record_closing_notice(napi_threadsafe_function handle) {
  for (unsigned i = 0; i < TG_CLOSING_NOTICES; i++)
    if (told.handles[i] == handle) return true;
  told.handles[told.next] = handle;
  told.next = (told.next + 1) % TG_CLOSING_NOTICES;
  return false;
}

/* Implements closing_notice.h: the last handles of each thread, in a ring. */
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

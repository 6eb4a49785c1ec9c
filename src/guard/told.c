/* Implements the thread's memory of told.h. */
#include "guard/told.h"

static _Thread_local struct {
  napi_threadsafe_function handles[TG_TOLD_HANDLES];
  unsigned next;
} told;

bool tg_told_closing(napi_threadsafe_function handle) {
  for (unsigned i = 0; i < TG_TOLD_HANDLES; i++)
    if (told.handles[i] == handle) return true;
  told.handles[told.next] = handle;
  told.next = (told.next + 1) % TG_TOLD_HANDLES;
  return false;
}

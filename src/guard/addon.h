/* What the core knows of an object file with addon code: how much of it may still run. The host's record of the object
 * begins with this one, and is never freed.
 *
 * Thread safety: the counters are atomic; a function's changes to them are made with its lock held. */
#ifndef TG_GUARD_ADDON_H
#define TG_GUARD_ADDON_H

#include <stdatomic.h>

struct tg_addon {
  atomic_uint threads;    /* living threads that have used one of its functions away from that one's loop */
  atomic_uint unreturned; /* its functions that are closing or closed and have counts out */
  atomic_uint stragglers; /* of these, those that a thread other than the loop thread has used */
};

#endif

/* Model of one slot of the handle table: its generations, its guarded function and its doorbell.
 *
 * The names are those of the C functions. README.md maps them, and says what is left out. A
 * critical section of the C code is one atomic step here, with two exceptions:
 *  - A producer touches the doorbell under the lock and then hands off. In between the loop thread
 *    may act, because it touches the doorbell without our lock.
 *  - A gate's sequence is changed in one step, and its waiters are woken in another.
 * Nothing else can look into a critical section.
 *
 * Ghosts are variables that only the properties read, or that stand for what the addon knows. */

/* -------- Configuration -------- */

#ifndef PRODUCERS
#define PRODUCERS 3
#endif
#ifndef CALLS /* calls that a producer may make */
#define CALLS 1
#endif
#ifndef OTHERS /* acquires, releases, aborts and refs of all producers together, in any order with the calls */
#define OTHERS 2
#endif
#ifndef LIMIT /* max_queue_size; 0: none */
#define LIMIT 1
#endif
#ifndef COUNT /* initial_thread_count */
#define COUNT 2
#endif
#ifndef GENERATIONS
#define GENERATIONS 1
#endif
#ifndef FROM_CALLBACK /* how often the addon's callbacks use the seven functions, on the loop thread */
#define FROM_CALLBACK 0
#endif
#ifndef SPURIOUS /* wake-ups without a reason (EINTR) */
#define SPURIOUS 0
#endif
#ifndef EXIT /* 1: another thread calls exit() at any time */
#define EXIT 0
#endif
#ifndef KEEPS_CLOSED /* 1: the runtime keeps a closed doorbell for ever if it is still held (nodejs/node#55877) */
#define KEEPS_CLOSED 1
#endif

#ifndef LATE /* 1: the addon has the quirk late, and each env is a worker's */
#define LATE 0
#endif

#define LOOP_ITEM (PRODUCERS * CALLS)

#define NOBODY 255

/* -------- struct tg_function -------- */

#define TG_FREE 0
#define TG_CREATING 1
#define TG_OPEN 2
#define TG_CLOSING 3
#define TG_CLOSED 4

byte lock = NOBODY; /* who holds it */
byte generation = 1;
byte sleepers; /* waiters */
byte woken; /* wakeups_in_flight: the waiters that were signalled and do not run yet */
byte state = TG_FREE;
bool rung; /* wakeup_pending */
bool doorbell_held;
byte ringers; /* their number, without the bit that says that the finalizer waits for them */
bool finalized;
bool abandoned;
#if LATE
bool is_late; /* the env has ended before the function was closed, so threads get napi_ok */
#endif
byte thread_count;
bool environment;                               /* whether the function refers to an env record */
chan queue = [LOOP_ITEM + 1] of { byte };
chan rest = [LOOP_ITEM + 1] of { byte };        /* the local variable of tg_on_finalize */

/* struct tg_gate `not_full`. While no waiter has read the sequence, it restarts at 0. Nobody can
 * notice this, and there are fewer states. */
byte sequence;
byte asleep; /* a bit for each producer that the kernel has put to sleep on the sequence */

/* struct tg_table */
bool is_free = true; /* the slot is in the free list */

/* -------- The runtime's own TSFN, and the env's cleanup hooks -------- */

bool bell_usable;   /* its finalizer has not begun */
byte bell_count;    /* its own thread_count */
byte bell_rings;    /* its queue */
bool bell_closing;
bool bell_handles_closing;
bool hook; /* our hook is registered */

/* -------- Ghosts -------- */

byte published;     /* the generation of the newest handle that the addon has */
short pending;      /* a bit for each item that was accepted and not delivered */
byte inside;        /* producers that sleep, are about to sleep, or were just woken */
#ifdef COUNT_RINGER_LATE
byte ringing;       /* all ringers, also those that this mutation does not count yet */
#else
#define ringing ringers
#endif
byte others = OTHERS;
byte begun;         /* producers begin in order, which leaves nothing out: they are all alike */
byte finalizers;    /* how many finalizers have run */
#if LATE
byte owed;          /* counts of threads that go on, and use what finalize_cb would free */
#endif
#if SPURIOUS
byte spurious = SPURIOUS;
#endif

/* -------- Mutations that change only a macro. The others are in the code that they change.
 * -------- */

#ifdef DROP_GENERATION_CHECK
#define SAME_GENERATION(handle) true
#else
#define SAME_GENERATION(handle) (handle == generation)
#endif

#ifdef KEEP_GENERATION
#define GENERATION_STEP 0
#else
#define GENERATION_STEP 1
#endif

#ifdef LEAVE_BEFORE_FINALIZED
#define IS_FINALIZED true
#else
#define IS_FINALIZED finalized
#endif

#ifdef IGNORE_SLEEPERS
#define NOBODY_SLEEPS true
#else
#define NOBODY_SLEEPS (sleepers == 0)
#endif

#ifdef NO_WAKE_ON_POP
#define WAKES_ON_POP false
#else
#define WAKES_ON_POP true
#endif

#ifdef POP_LAST_AHEAD
#define MORE_WAIT (len(queue) > 0)
#else
#define MORE_WAIT (len(queue) > 1)
#endif

#define BIT(n) (1 << (n))
#define FULL (LIMIT != 0 && len(queue) >= LIMIT)

/* -------- base/lock.c -------- */

inline tg_lock_acquire() {
  assert(lock != _pid); /* not recursive */
  lock == NOBODY;
  lock = _pid
}

inline tg_lock_release() {
  assert(lock == _pid);
  lock = NOBODY
}

/* tg_gate_wake_one: FUTEX_WAKE wakes any one of the waiters. */
inline futex_wake_one() {
  if
  :: asleep & 1 -> asleep = asleep & ~1
  :: asleep & 2 -> asleep = asleep & ~2
  :: asleep & 4 -> asleep = asleep & ~4
  :: asleep & 8 -> asleep = asleep & ~8
  :: asleep == 0
  fi
}

/* The second half of tg_gate_wake_all. */
#ifdef SIGNAL_ONE
#define futex_wake_all futex_wake_one
#else
inline futex_wake_all() {
  asleep = 0
}
#endif

inline bump_sequence() {
  sequence++
}

/* -------- The runtime's functions for the doorbell. Its mutex makes each of them one step. -------- */

inline use_doorbell() {
  assert(lock == _pid);  /* the doorbell is used only under the function's lock */
  assert(bell_usable)    /* and never after its finalizer has begun */
}

inline runtime_acquire(status_is_ok) {
  use_doorbell();
  status_is_ok = !bell_closing;
  if
  :: status_is_ok -> bell_count++; assert(bell_count == 1)
  :: else
  fi
}

inline runtime_call(status_is_ok) {
  use_doorbell();
  status_is_ok = !bell_closing;
  if
  :: status_is_ok -> bell_rings++; assert(bell_rings == 1)
  :: else -> assert(bell_count == 1); bell_count = 0 /* napi_closing took it */
  fi
}

/* Like runtime_call, but by a ringer without the lock. The finalizer waits for the ringer. The ring
 * is refused only if the function was closed meanwhile, or if the env ends and our hook has not run
 * yet. Then either the doorbell's count is already gone (napi_invalid_arg), or this call takes it
 * (napi_closing). */
inline runtime_call_handing_over(status_is_ok) {
  assert(bell_usable && lock != _pid);
  status_is_ok = !bell_closing;
  if
  :: status_is_ok -> bell_rings++; assert(bell_rings == 1)
  :: else -> assert(state != TG_OPEN || bell_handles_closing); bell_count = 0
  fi
}

/* Like runtime_call, but by the loop thread without the lock. The doorbell still exists, because
 * its finalizer runs on the loop thread too. The ring is refused only if the doorbell is being
 * aborted. Then its count is gone, and the answer is napi_invalid_arg. */
inline runtime_call_ahead(status_is_ok) {
  assert(bell_usable && lock != _pid);
  status_is_ok = !bell_closing;
  if
  :: status_is_ok -> bell_rings++; assert(bell_rings == 1)
  :: else -> assert(bell_count == 0)
  fi
}

/* When the env ends, a ringer's refused ring may already have taken the count. Then this release
 * fails, which does no harm. */
inline runtime_release(aborts) {
  use_doorbell();
  assert(bell_count == 1 || (bell_handles_closing && (ringing != 0 || EXIT)));
  bell_count = 0;
  if
  :: aborts -> bell_closing = true
  :: else
  fi
}

/* -------- core/handle_table.c -------- */

/* The locks of the free list are taken and released within one step. */
inline tg_table_expire() {
  assert(lock == _pid && ringers == 0);
  state = TG_FREE;
  abandoned = false;
  generation = generation + GENERATION_STEP;
  is_free = true
}

/* Called with the lock held. Each value that the model looks up is a handle, or was one. */
inline tg_table_find(handle, valid) {
  valid = SAME_GENERATION(handle) && state > TG_CREATING;
  assert(valid || handle < generation);  /* otherwise the result would be TG_LOOKUP_INVALID */
  assert(!valid || handle == generation) /* valid in one generation only */
}

/* -------- core/function.c -------- */

inline tg_function_add_count() {
  assert(environment);
  thread_count++
}

inline tg_function_drop_count() {
  assert(thread_count != 0);
  thread_count--;
#if LATE
  owed = (owed != 0 -> owed - 1 : 0)
#endif
}

/* The first half of tg_function_close. If somebody sleeps, futex_wake_all follows as a separate
 * step. */
inline tg_function_close() {
  state = TG_CLOSING;
  if
  :: sleepers != 0 -> bump_sequence()
  :: else
  fi
}

/* Also only the first half. The env ends, because the runtime has closed the doorbell and not
 * we. */
inline close_with_doorbell() {
#if LATE
  is_late = true;
  owed = thread_count;
#endif
  tg_function_close()
}

inline tg_function_release_doorbell(aborts) {
  if
  :: doorbell_held -> doorbell_held = false; assert(environment); runtime_release(aborts)
  :: else
  fi
}

inline leave_environment() {
  environment = false
}

inline tg_function_leave() {
  if
  :: state == TG_CLOSED && IS_FINALIZED && thread_count == 0 && NOBODY_SLEEPS ->
     leave_environment();
     tg_table_expire()
  :: else
  fi
}

/* operation_end() in api.c, with the invariants that hold whenever the lock is released. */
inline end(valid) {
  if
  :: valid -> tg_function_leave()
  :: else
  fi;
  assert(state != TG_OPEN || doorbell_held == (thread_count != 0 || len(queue) != 0) || EXIT);
  assert(state != TG_OPEN || doorbell_held == bell_count || (bell_handles_closing && ringing != 0));
  tg_lock_release()
}

/* reject_closing() in api.c. If is_late is set, one answer of many is true, and may come at any
 * time. */
inline reject_closing(valid) {
  if
#if LATE
  :: is_late /* napi_ok, and the count stays */
#endif
  :: valid && thread_count != 0 -> tg_function_drop_count()
  :: else
  fi;
  end(valid)
}

/* acquire_closing() in api.c */
inline acquire_closing(valid) {
#if LATE
  if
  :: valid && is_late ->
     thread_count++;
     if
     :: state != TG_CLOSED -> owed++
     :: else /* too late for a thread that has no count of its own */
     fi
  :: true /* napi_closing */
  fi;
#endif
  end(valid)
}

inline accept(item) {
  assert(state == TG_OPEN && finalizers < generation);
  assert(!(pending & BIT(item)));
  pending = pending | BIT(item);
  queue!item
}

inline deliver(item) {
  assert(lock != _pid);                 /* no lock is held while code of the addon runs */
  assert(pending & BIT(item));          /* it was accepted, and not yet delivered */
  assert(item == LOOP_ITEM || !(pending & (BIT(item) - BIT(item - item % CALLS)))); /* a thread's items in order */
  pending = pending & ~BIT(item)
}

/* A thread of the addon. Within its budget it makes any sequence of calls (blocking or not), acquires,
 * releases, aborts and refs, on any handle that the addon has ever got, with a count of its own or
 * without. */
proctype producer(byte me) {
  byte calls = CALLS;
  byte handle, seen, item;
  bool valid, ok;

end_idle: /* it may stop at any time */
  atomic {
    if
    :: calls + others != 0 && published != 0 && begun >= me && lock == NOBODY
    :: others != 0 -> others = 0; goto end_idle
    :: calls != 0 && begun >= me -> calls = 0; begun = (begun > me -> begun : me + 1); goto end_idle
    fi;
    /* Each of the seven functions begins with operation_begin(), which waits for the lock. */
    begun = (begun > me -> begun : me + 1);
    tg_lock_acquire();
    if
    :: handle = published
#if GENERATIONS > 1
    :: published > 1 -> handle = 1
#endif
    fi;
    tg_table_find(handle, valid);
    if
    :: calls != 0 -> item = me * CALLS + (CALLS - calls); calls--; goto call
    :: others != 0 -> others--; goto acquire
    :: others != 0 -> others--; goto release
    :: others != 0 -> others--; goto abort
    :: others != 0 -> others--; goto ref
    fi;

call: /* tg_call */
    if
    :: !valid || state != TG_OPEN -> reject_closing(valid); goto reset
    :: else
    fi;
    if
    :: FULL -> end(valid); goto reset /* a nonblocking call: napi_queue_full */
    :: true /* a blocking call, or there is space */
    fi;

wait_until_not_full:
    if
    :: state == TG_OPEN && FULL -> goto sleep
    :: state == TG_OPEN && !FULL
#ifdef RING_AFTER_RELEASE
    :: state != TG_OPEN /* a caller that wakes up continues and rings */
#else
    :: state != TG_OPEN -> reject_closing(valid); goto reset
#endif
    fi;
    /* tg_function_hold_doorbell */
    if
    :: doorbell_held -> goto ring
    :: else
    fi;
    assert(environment);
    runtime_acquire(ok);
    if
    :: ok -> doorbell_held = true
    :: else -> close_with_doorbell(); goto closed
    fi
  }
  skip; /* still under the lock, but the loop thread may touch the doorbell here */
ring:
  atomic {
    assert(handle == generation);
    accept(item); /* tg_queue_push */
    if
    :: rung -> end(valid); goto reset
    :: !rung -> /* tg_function_hand_off */
       rung = true;
       ringing++;
       end(valid)
    fi
  }
#ifdef COUNT_RINGER_LATE
  ringers++;
#endif
  atomic { runtime_call_handing_over(ok) }
  if
  :: !ok ->
     atomic { /* withdraw_item: the function was closed, or is closed now, so the item stays */
       tg_lock_acquire();
       assert(handle == generation);
       if
       :: state == TG_OPEN -> doorbell_held = false; close_with_doorbell()
       :: else -> ok = true
       fi
     }
     atomic {
       if
       :: !ok -> futex_wake_all()
       :: else
       fi;
       tg_lock_release()
     }
  :: else
  fi;
  atomic {
    assert(bell_usable); /* until now the runtime's code was inside the doorbell */
#ifdef COUNT_RINGER_LATE
    ringing--;
#endif
    ringers--;
    goto reset
  }

closed: /* the second half of tg_function_close, and the end of tg_call or tg_acquire */
  atomic {
    futex_wake_all();
    if
    :: item != NOBODY -> reject_closing(valid)
    :: else -> end(valid)
    fi;
    goto reset
  }

sleep: /* tg_function_wait, tg_gate_wait */
  atomic {
    sleepers++;
#ifndef SEQUENCE_READ_UNLOCKED
    seen = sequence;
#endif
    inside++;
    tg_lock_release()
  }
#ifdef SEQUENCE_READ_UNLOCKED
  seen = sequence;
#endif
  atomic { /* futex_wait: the kernel compares, and puts the thread to sleep, in one step */
    if
    :: sequence != seen
    :: sequence == seen -> asleep = asleep | BIT(me)
    fi;
    seen = 0
  }
  atomic {
    if
    :: !(asleep & BIT(me))
#if SPURIOUS
    :: (asleep & BIT(me)) && spurious != 0 -> spurious--; asleep = asleep & ~BIT(me)
#endif
    fi;
    /* Nobody can notice that it has woken up before it has the lock again. */
    tg_lock_acquire();
    inside--;
    sleepers--;
#ifndef KEEP_WOKEN
    woken = (woken != 0 -> woken - 1 : 0);
#endif
    if
    :: sleepers == 0 -> sequence = 0
    :: else
    fi;
    assert(handle == generation); /* it wakes up in the generation in which it fell asleep */
    goto wait_until_not_full
  }

acquire: /* tg_acquire */
  atomic {
    item = NOBODY;
    if
    :: !valid || state != TG_OPEN -> acquire_closing(valid); goto reset
    :: else
    fi;
    if
    :: !doorbell_held ->
       assert(environment);
       runtime_acquire(ok);
       if
       :: ok -> doorbell_held = true
       :: else -> close_with_doorbell(); goto closed
       fi
    :: else
    fi;
    tg_function_add_count();
    end(valid);
    goto reset
  }

release: /* tg_release, napi_tsfn_release */
  atomic {
    if
    :: valid && thread_count != 0 ->
       tg_function_drop_count();
       if
       :: state == TG_OPEN && thread_count == 0 && len(queue) == 0 -> tg_function_release_doorbell(false)
       :: else
       fi
    :: else
    fi;
    end(valid);
    goto reset
  }

abort: /* tg_release, napi_tsfn_abort */
  atomic {
    if
    :: valid && thread_count != 0 ->
       tg_function_drop_count();
       if
       :: state == TG_OPEN -> tg_function_close(); goto aborted
       :: else
       fi
    :: else
    fi;
    end(valid);
    goto reset
  }
aborted:
  atomic {
    futex_wake_all();
    tg_function_release_doorbell(true);
    end(valid);
    goto reset
  }

ref: /* ref_or_unref, from a thread that is not the loop's */
  atomic {
    if
    :: valid && state == TG_OPEN && doorbell_held && !rung ->
       runtime_call(ok);
       if
       :: ok -> rung = true
       :: else -> item = NOBODY; doorbell_held = false; close_with_doorbell(); goto closed
       fi
    :: else
    fi;
    end(valid);
    goto reset
  }

reset:
  atomic {
    handle = 0; item = 0; valid = false; ok = false;
    goto end_idle
  }
}

/* The addon's callbacks may use the seven functions. On the loop thread no code of the runtime can
 * run in between, so each use is one step. If it closes the function, the waiters are woken in the
 * same step. */
#if FROM_CALLBACK
inline callback() {
  if
  :: true
  :: atomic {
       from_callback != 0 ->
       from_callback--;
       tg_lock_acquire();
       tg_table_find(me, valid);
       if
       :: true -> /* tg_call; on its own loop thread a call goes beyond the limit of a full queue */
          if
          :: !valid || state != TG_OPEN || (pending & BIT(LOOP_ITEM)) -> reject_closing(valid)
          :: else ->
             ok = true;
             if
             :: !doorbell_held -> runtime_acquire(ok); doorbell_held = ok
             :: else
             fi;
             if
             :: ok -> accept(LOOP_ITEM); rings = !rung; rung = true; end(valid)
             :: else -> tg_function_close(); futex_wake_all(); reject_closing(valid)
             fi
          fi
       :: true -> /* tg_acquire */
          if
          :: !valid || state != TG_OPEN -> end(valid)
          :: else ->
             ok = true;
             if
             :: !doorbell_held -> runtime_acquire(ok); doorbell_held = ok
             :: else
             fi;
             if
             :: ok -> tg_function_add_count()
             :: else -> tg_function_close(); futex_wake_all()
             fi;
             end(valid)
          fi
       :: true -> /* tg_release */
          if
          :: valid && thread_count != 0 ->
             tg_function_drop_count();
             if
             :: state == TG_OPEN && thread_count == 0 && len(queue) == 0 -> tg_function_release_doorbell(false)
             :: state == TG_OPEN -> tg_function_close(); futex_wake_all(); tg_function_release_doorbell(true)
             :: else
             fi
          :: else
          fi;
          end(valid)
       fi;
       valid = false; ok = false
     }
     if
     :: rings -> atomic { runtime_call_handing_over(ok); rings = false; ok = false }
     :: else
     fi
  fi
}
#define CALLBACK callback()
#else
#define CALLBACK
#endif

/* Code of the addon that waits until none of its threads is inside a call. */
inline join_callers() {
  if
  :: true -> inside == 0 && ringing == 0
  :: true
  fi
}

/* The loop thread of one generation's env. */
proctype loop(byte me) {
  byte item;
  bool popped, valid, ok, wake;
#if LATE
  bool leave_out; /* the finalizer, and the rest of the queue */
#endif
#if FROM_CALLBACK
  byte from_callback = FROM_CALLBACK;
  bool rings; /* this thread is a ringer. Nobody waits for it: only this thread could. */
#endif

#if GENERATIONS > 1
  /* tg_table_take: the slot is free, or reclaim_abandoned makes it so. */
  do
  :: atomic { generation == me && is_free -> is_free = false; break }
  :: atomic { abandoned -> abandoned = false; item = generation } /* tg_table_take_abandoned */
     atomic {
       tg_lock_acquire();
       if
       :: generation != item /* its last count has come back meanwhile */
       :: generation == item && sleepers != 0 -> abandoned = true
       :: generation == item && sleepers == 0 ->
          thread_count = 0; /* convert_counts_to_credit */
#if LATE
          owed = 0;
#endif
          leave_environment();
          tg_table_expire()
       fi;
       tg_lock_release();
       item = 0
     }
     if
     :: abandoned -> sleepers == 0 /* a later create tries again */
     :: else
     fi
  od;
#else
  is_free = false;
#endif

  /* tg_create */
  atomic { /* tg_function_prepare */
    tg_lock_acquire();
    assert(state == TG_FREE && generation == me);
    assert(len(queue) == 0 && thread_count == 0 && !environment);
    state = TG_CREATING;
    rung = false;
    doorbell_held = false;
    finalized = false;
#if LATE
    is_late = false;
    assert(owed == 0);
#endif
    environment = true;
    tg_lock_release()
  }
  atomic { /* make_doorbell: the runtime's create */
    assert(!bell_usable);
    bell_usable = true;
    bell_count = 1;
    bell_rings = 0;
    bell_closing = false;
    bell_handles_closing = false
  }
  atomic { /* open_function */
    tg_lock_acquire();
    thread_count = COUNT;
    doorbell_held = true;
    state = TG_OPEN;
    tg_lock_release();
  }
  atomic {
    assert(!hook);
#ifndef FORGET_CLEANUP_HOOK
    hook = true;
#endif
    assert(published < generation); /* no handle is given out twice */
    published = generation
  }

turn: /* DispatchOne of a doorbell that was rung or posted, or its closing, or the env's end */
  atomic {
    if
    :: !bell_handles_closing && (bell_rings != 0 || bell_count == 0 || bell_closing) ->
       if
       :: !bell_closing ->
          popped = bell_rings != 0;
          bell_rings = 0;
          bell_closing = bell_count == 0
       :: else
       fi;
       bell_handles_closing = bell_closing;
       if
       :: popped -> popped = false; goto dispatch
       :: else -> goto turn
       fi
    :: bell_handles_closing -> goto finalize
    :: true -> goto teardown /* worker.terminate(), or the end of the main thread's env */
    :: !bell_handles_closing && bell_rings == 0 && bell_count != 0 && !bell_closing &&
       lock == NOBODY && ringing == 0 &&
       ((asleep & 1) + ((asleep >> 1) & 1) + ((asleep >> 2) & 1) + ((asleep >> 3) & 1)) == inside ->
       /* The loop has nothing to do, and nobody else will ever do anything again. */
       assert(asleep == 0 && pending == 0);
       goto teardown
    fi
  }

dispatch: /* tg_on_dispatch */
#if LIMIT == 0
  /* pop_unlocked: without the lock, so other threads may act in between. The C code first reads
   * pop_needs_lock, and may have reasons to take the lock that are not modelled. So here both
   * choices are possible. */
  if
  :: atomic { state == TG_OPEN && MORE_WAIT -> assert(generation == me && environment) }
     runtime_call_ahead(ok);
     if
     :: ok -> atomic { queue?item; ok = false; goto delivery }
     :: else
     fi
  :: true
  fi;
#endif
  atomic { /* pop_locked */
    tg_lock_acquire();
    assert(generation == me && bell_usable);
    rung = false;
    use_doorbell(); /* apply_pending_ref may ref or unref it */
    if
    :: len(queue) == 0 -> tg_lock_release(); goto turn
    :: else
    fi;
    assert(environment);
    queue?item;
    /* continue_after_pop */
    ok = false;
    if
    :: len(queue) != 0 ->
#ifndef FORGET_TO_RING_ON
       if
       :: doorbell_held && !rung ->
          runtime_call(ok);
          if
          :: ok -> rung = true; ok = false
          :: else -> doorbell_held = false; tg_function_close(); ok = true
          fi
       :: else
       fi
#else
       skip
#endif
    :: len(queue) == 0 && thread_count == 0 && state == TG_OPEN ->
       tg_function_close();
       ok = true;
    :: else
    fi
  }
  atomic {
    if
    :: ok -> ok = false; futex_wake_all(); tg_function_release_doorbell(false)
    :: else
    fi;
    if /* tg_function_claim_waiter */
    :: sleepers > woken && WAKES_ON_POP -> woken++; bump_sequence(); wake = true
    :: else
    fi;
#ifndef CALLBACK_UNDER_LOCK
    tg_lock_release()
#endif
  }
  atomic { /* the lock is released, so other threads may act in between */
    if
    :: wake -> wake = false; futex_wake_one()
    :: else
    fi
  }
delivery:
  atomic {
    deliver(item);
    item = 0
  }
  CALLBACK;
#ifdef CALLBACK_UNDER_LOCK
  tg_lock_release();
#endif
  goto turn;

teardown: /* the env's cleanup hooks; the last one that was added runs first */
  atomic { /* the runtime's own */
    bell_closing = true;
    bell_handles_closing = true
  }
  if
  :: hook -> /* tg_on_cohort_cleanup */
     atomic {
       tg_lock_acquire();
       ok = state == TG_OPEN;
#if LATE
       is_late = true;
       owed = thread_count;
#endif
       if
       :: ok -> tg_function_close()
       :: else
       fi
     }
     atomic {
       if
       :: ok -> ok = false; futex_wake_all()
       :: else
       fi;
       tg_function_release_doorbell(true);
       hook = false;
       tg_lock_release()
     }
  :: else
  fi;
  join_callers(); /* a hook that the addon added before the create */

finalize: /* tg_on_finalize */
  atomic {
    tg_lock_acquire();
#ifdef LEAVE_OUT_DECIDED_EARLY
    leave_out = is_late && thread_count != 0;
#endif
    ok = state == TG_OPEN;
    if
    :: ok -> tg_function_close()
    :: else
    fi
  }
  atomic {
    if
    :: ok -> ok = false; futex_wake_all()
    :: else
    fi;
    tg_lock_release()
  }
  atomic {
#ifndef FINALIZE_UNDER_RINGERS
    ringers == 0; /* tg_function_await_ringers */
#endif
    tg_lock_acquire();
    assert(finalizers == me - 1); /* once in each generation */
    finalizers++;
    assert(!KEEPS_CLOSED || bell_count == 0);
    assert(generation == me && environment);
    state = TG_CLOSED;
    doorbell_held = false;
    bell_usable = false;
    bell_count = 0;
    bell_rings = 0;
    do
    :: queue?item -> rest!item
    :: empty(queue) -> break
    od;
    item = 0;
#if LATE && !defined(LEAVE_OUT_DECIDED_EARLY) && !defined(FINALIZE_UNDER_COUNTS)
    leave_out = is_late && thread_count != 0;
#endif
    tg_lock_release()
  }
#ifdef FINALIZE_BEFORE_DRAIN
  goto finalize_cb;
#endif
#if LATE
  if /* leave_out_finalizer */
  :: atomic {
       leave_out ->
       leave_out = false;
       do
       :: rest?item -> pending = pending & ~BIT(item)
       :: empty(rest) -> break
       od;
       item = 0;
       hook = false; /* remove_env_cleanup_hook */
       goto finalized_now
     }
  :: !leave_out
  fi;
#endif
drain:
  do
  :: atomic { rest?item -> deliver(item); item = 0 }
     CALLBACK
  :: empty(rest) -> break
  od;
#ifdef FINALIZE_BEFORE_DRAIN
  goto finalized_now;
#endif
finalize_cb:
  atomic {
    hook = false; /* remove_env_cleanup_hook */
    assert(lock != _pid);
#if LATE
    assert(owed == 0); /* no thread still uses what is freed here */
#endif
    assert(pending == 0) /* everything that was accepted has been delivered */
  }
  CALLBACK;
  join_callers();
#ifdef FINALIZE_BEFORE_DRAIN
  goto drain;
#endif
finalized_now:
  atomic { /* tg_function_end_finalizer */
    tg_lock_acquire();
    assert(generation == me && environment && state == TG_CLOSED);
    finalized = true;
    leave_environment(); /* the C code does this only if the env has ended */
    if
    :: thread_count != 0 -> abandoned = true /* tg_table_abandon */
    :: else
    fi;
    end(true)
  }
}

#if EXIT
/* An exit handler on any thread. */
proctype exiting() {
  atomic { /* tg_reject_all */
    tg_lock_acquire();
    if
    :: state == TG_OPEN -> tg_function_close()
    :: else -> tg_lock_release(); goto through
    fi
  }
  atomic {
    futex_wake_all();
    tg_lock_release()
  }
through:
  skip
}
#endif

init {
  byte n;
  atomic {
    n = 1;
    do
    :: n <= GENERATIONS -> run loop(n); n++
    :: else -> break
    od;
    n = 0;
    do
    :: n < PRODUCERS -> run producer(n); n++
    :: else -> break
    od;
#if EXIT
    run exiting();
#endif
    n = 0
  }
}

#ifdef LTL
/* Each caller that sleeps while the function is closing wakes up and returns. Each accepted item is
 * delivered. Every run is finite (check.sh: finite), so fairness need not be assumed. */
ltl eventually {
  [] ((state == TG_CLOSING && inside != 0) -> <> (inside == 0)) &&
  [] ((pending != 0) -> <> (pending == 0))
}
#endif

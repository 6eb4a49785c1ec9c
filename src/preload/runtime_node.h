/* Binds the core's struct tg_runtime to the Node-API functions of the running binary. */
#ifndef TG_PRELOAD_RUNTIME_NODE_H
#define TG_PRELOAD_RUNTIME_NODE_H

#include "core/ports.h"
#include "diag/report.h"
#include "elf/image.h"
#include "elf/redirect.h"

/* Indices of the seven functions in the redirection table. */
enum {
  TG_CREATE,
  TG_GET_CONTEXT,
  TG_CALL,
  TG_ACQUIRE,
  TG_RELEASE,
  TG_REF,
  TG_UNREF,
  TG_FUNCTIONS,
};

/* Looks up all further functions in the object that exports the seven. Returns NULL, or the name of
 * the first one that is needed and missing. Call it once, before the seven functions are
 * redirected. */
const char *tg_node_open(const struct tg_image *image);

/* Learn the runtime's version: the first function from an env, the second one from a fake env, for
 * reports before there is an env. They do nothing once the version is known. */
void tg_node_learn_version(napi_env env);
void tg_node_learn_version_early(void);

/* Returns the runtime. Call it after the seven functions were redirected. */
const struct tg_runtime *tg_node_runtime(const struct tg_redirection redirections[TG_FUNCTIONS]);

/* "node 20.20.2" or "a runtime like node 24.3.0"; without the number if the runtime has no function
 * that reports it. Returns false and an empty text if the version is not known yet. */
bool tg_node_version(char version[TG_RUNTIME_MAX]);

/* Whether the address is within the runtime's own object. */
bool tg_node_is_runtime_code(const void *address);

/* Whether the runtime is Node itself, and not one that imitates it. */
bool tg_node_is_node(void);

/* Whether the calling thread has a V8 isolate, as the loop thread of an env does. Other threads
 * cannot use the functions that take an env. False in a runtime other than Node. */
bool tg_node_is_on_loop_thread(void);

/* Whether the env can no longer run JavaScript, whether or not an exception is pending. Call it on
 * the env's loop thread. False in a runtime other than Node. */
bool tg_node_is_javascript_over(napi_env env);

/* Clears a pending exception. Leaves the env's last error info at napi_ok. Call it on the env's
 * loop thread. */
void tg_node_drop_exception(napi_env env);

/* Returns undefined, for the false answers of TG_QUIRK_DYING. Needs no handle scope and no
 * JavaScript. */
napi_status tg_node_get_undefined(napi_env env, napi_value *result);

/* Creates a reference to a new object. False: the runtime cannot do this. */
bool tg_node_create_empty_reference(napi_env env, uint32_t count, napi_ref *result);

/* Calls the runtime's own function, whatever is redirected. */
napi_status tg_node_add_env_cleanup_hook(napi_env env, void (*hook)(void *), void *argument);

/* The id of the env's worker; 0: the main thread; -1: unknown. For mode=diagnose (diag/trace.h).
 * The id comes from JavaScript: process.getBuiltinModule('worker_threads').threadId. Node 18 and
 * 20.0 to 20.15 lack that function, so there the result is -1 in workers. In the main thread this
 * also records the loop for tg_node_is_loop_kept_by. */
int64_t tg_node_worker_id(napi_env env);

/* Whether an exception is pending. Call it on the loop thread. */
bool tg_node_has_exception(napi_env env);

/* Whether a callback has left an exception that is not due to the env's termination. Call it on the
 * loop thread. */
bool tg_node_was_left_exception(napi_env env);

/* Whether the env can no longer run JavaScript although no exception is pending. Call it on the
 * loop thread. */
bool tg_node_is_javascript_forbidden(napi_env env);

/* Whether exactly `count` handles, and nothing else, keep the main thread's loop alive. Also false
 * if that is unknown. For mode=diagnose. */
bool tg_node_is_loop_kept_by(uint64_t count);

#endif

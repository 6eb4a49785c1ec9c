/* Binds the core's struct tg_runtime to the Node-API functions of the running binary. */
#ifndef TG_PRELOAD_RUNTIME_NODE_H
#define TG_PRELOAD_RUNTIME_NODE_H

#include "base/text.h"
#include "elf/image.h"
#include "elf/redirect.h"
#include "guard/runtime.h"

/* The seven, as they stand in the redirection table. */
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

/* Looks up all that is needed beside the seven functions, in the object that exports those. Returns NULL, or
 * the name of the function that is missing. Before main. */
const char *tg_node_open(const struct tg_image *image);

/* Learns the runtime's version: from an env, or before there is one from a forged env, for the message that
 * it is armed. Does nothing once the version is known. */
void tg_node_learn_version(napi_env env);
void tg_node_learn_version_early(const struct tg_image *image);

/* The runtime, once the seven have been redirected. */
const struct tg_runtime *tg_node_runtime(const struct tg_redirection redirections[TG_FUNCTIONS]);

/* Adds "node 20.20.2"; false, and nothing added, where it is not known yet. */
bool tg_node_add_version(struct tg_text *line);

#endif

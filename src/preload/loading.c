/* Implements loading.h. */
#include "preload/loading.h"

#include <link.h>
#include <string.h>

#include "base/glibc_floor.h"
#include "core/callbacks.h"
#include "elf/redirect.h"
#include "preload/addon_code.h"
#include "preload/dl.h"
#include "preload/dying.h"
#include "preload/fast_exit.h"
#include "preload/runtime_node.h"

/* The number of modules that constructors have registered on this thread. */
static _Thread_local unsigned registered_by_thread;

enum { NODE_API_MODULE, NODE_MODULE, REGISTRARS };

static void guarded_napi_module_register(void *module);
static void guarded_node_module_register(void *module);

static struct tg_redirection registrars[REGISTRARS] = {
    [NODE_API_MODULE] = {.name = "napi_module_register",
                         .replacement = (void *)guarded_napi_module_register},
    [NODE_MODULE] = {.name = "node_module_register",
                     .replacement = (void *)guarded_node_module_register},
};

/* Ignores the runtime's own modules, and those that the runtime makes from an addon's module. */
static void record_and_register(unsigned which, void *module, const void *caller) {
  struct tg_registration registration = {.module = module};
  memcpy(&registration.register_module, &registrars[which].original, sizeof(void *));
  if (!tg_node_is_runtime_code(caller) && !tg_node_is_runtime_code(module)) {
    registered_by_thread++;
    tg_addon_registered(caller, &registration);
  }
  registration.register_module(module);
}

static void guarded_napi_module_register(void *module) {
  record_and_register(NODE_API_MODULE, module, __builtin_return_address(0));
}

static void guarded_node_module_register(void *module) {
  record_and_register(NODE_MODULE, module, __builtin_return_address(0));
}

static const struct link_map *link_map_of(void *handle) {
  struct link_map *map = NULL;
  if (dlinfo == NULL || dlinfo(handle, RTLD_DI_LINKMAP, &map) != 0) return NULL;
  return map;
}

/* If a name has no slash, the dynamic linker's search depends on the caller. Such a call is passed
 * on as a tail call, so that the caller stays the same. Addons are opened by their paths. */
static void *guarded_dlopen(const char *file, int flags) {
  if (file == NULL || strchr(file, '/') == NULL) return tg_dl.open(file, flags);
  bool is_always_kept = tg_addon_is_always_kept(file);
  tg_fast_exit_addon_opens();
  tg_dying_prepare(file);
  unsigned before = registered_by_thread;
  void *handle = tg_dl.open(file, is_always_kept ? flags | RTLD_NODELETE : flags);
  const struct link_map *map = handle == NULL ? NULL : link_map_of(handle);
  if (map != NULL) tg_addon_opened(map->l_ld, registered_by_thread != before, is_always_kept);
  /* The runtime now makes a napi_env for the addon, and adds a cleanup hook that ends it. */
  tg_on_hook_added();
  return handle;
}

static int guarded_dlclose(void *handle) {
  const struct link_map *map = link_map_of(handle);
  unsigned registrations = 0;
  struct tg_addon *addon =
      map == NULL || map->l_name == NULL ? NULL : tg_addon_closing(map->l_name, &registrations);
  int result = tg_dl.close(handle);
  if (addon != NULL) tg_addon_closed(addon, registrations);
  return result;
}

void tg_loading_open(const struct tg_image *image) {
  if (tg_dl.open == NULL) return;
  tg_redirect_each(image, registrars, REGISTRARS);
  tg_redirect_import(image, "dlopen", (const void *)guarded_dlopen);
  tg_redirect_import(image, "dlclose", (const void *)guarded_dlclose);
}

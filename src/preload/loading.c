/* Implements loading.h. */
#include "preload/loading.h"

#include <link.h>
#include <string.h>

#include "base/glibc_floor.h"
#include "elf/redirect.h"
#include "preload/addon_code.h"
#include "preload/dl.h"
#include "preload/fast_exit.h"

static const struct tg_image *runtime;

/* How many modules this thread's constructors have registered. */
static _Thread_local unsigned registered;

enum { NODE_API_MODULE, NODE_MODULE, REGISTRARS };

static void register_node_api_module(void *module);
static void register_node_module(void *module);

static struct tg_redirection registrars[REGISTRARS] = {
    [NODE_API_MODULE] = {.name = "napi_module_register", .replacement = (void *)register_node_api_module},
    [NODE_MODULE] = {.name = "node_module_register", .replacement = (void *)register_node_module},
};

static bool is_of_runtime(const void *address) {
  return tg_image_contains(runtime, (uintptr_t)address, 1, NULL);
}

/* The runtime registers its own modules too, and what it makes of an addon's. */
static void register_module(unsigned which, void *module, const void *caller) {
  struct tg_registration registration = {.module = module};
  memcpy(&registration.register_module, &registrars[which].original, sizeof(void *));
  if (!is_of_runtime(caller) && !is_of_runtime(module)) {
    registered++;
    tg_addon_registered(caller, &registration);
  }
  registration.register_module(module);
}

static void register_node_api_module(void *module) {
  register_module(NODE_API_MODULE, module, __builtin_return_address(0));
}

static void register_node_module(void *module) {
  register_module(NODE_MODULE, module, __builtin_return_address(0));
}

static const struct link_map *map_of(void *handle) {
  struct link_map *map = NULL;
  if (dlinfo == NULL || dlinfo(handle, RTLD_DI_LINKMAP, &map) != 0) return NULL;
  return map;
}

/* The dynamic linker looks at who calls it where a name has no slash; such a call is passed on as a jump. Addons are opened
 * by their paths. */
static void *open_object(const char *file, int flags) {
  if (file == NULL || strchr(file, '/') == NULL) return tg_dl.open(file, flags);
  bool is_always_kept = tg_addon_is_always_kept(file);
  tg_fast_exit_addon_opens();
  unsigned before = registered;
  void *handle = tg_dl.open(file, is_always_kept ? flags | RTLD_NODELETE : flags);
  const struct link_map *map = handle == NULL ? NULL : map_of(handle);
  if (map != NULL) tg_addon_opened(map->l_ld, registered != before, is_always_kept);
  return handle;
}

static int close_object(void *handle) {
  const struct link_map *map = map_of(handle);
  unsigned registrations = 0;
  struct tg_addon *addon =
      map == NULL || map->l_name == NULL ? NULL : tg_addon_closing(map->l_name, &registrations);
  int result = tg_dl.close(handle);
  if (addon != NULL) tg_addon_closed(addon, registrations);
  return result;
}

void tg_loading_open(const struct tg_image *image) {
  static struct tg_image kept;
  kept = *image;
  runtime = &kept;
  if (tg_dl.open == NULL) return;
  for (unsigned i = 0; i < REGISTRARS; i++)
    if (tg_redirect_find(image, &registrars[i], 1) == NULL) tg_redirect_apply(image, &registrars[i], 1);
  tg_redirect_import(image, "dlopen", (const void *)open_object);
  tg_redirect_import(image, "dlclose", (const void *)close_object);
}

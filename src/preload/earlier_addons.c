/* Implements earlier_addons.h. */
#include "preload/earlier_addons.h"

#include <stdlib.h>
#include <string.h>

#include "preload/addon_code.h"

static const struct tg_earlier_addon *earlier_addons;

struct addon_search {
  const struct tg_image *runtime;
  const struct tg_redirection *redirections;
  size_t count;
};

static bool may_use_functions(const struct tg_image *image, const struct addon_search *search) {
  for (size_t i = 0; i < search->count; i++)
    if (tg_image_refers_to(image, search->redirections[i].name)) return true;
  return tg_image_find(image, "napi_register_module_v1", STT_FUNC) != NULL &&
         tg_image_refers_to(image, "dlsym");
}

static int record_if_addon(struct dl_phdr_info *info, size_t size, void *argument) {
  (void)size;
  const struct addon_search *search = argument;
  struct tg_image image;
  struct tg_place place = {.file = ""};
  if (info->dlpi_phdr == search->runtime->headers) return 0;
  if (!tg_image_open(&image, info->dlpi_addr, info->dlpi_phdr, info->dlpi_phnum)) return 0;
  if (!may_use_functions(&image, search) || !tg_addon_locate(image.symbols, &place)) return 0;
  size_t length = strlen(place.file) + 1;
  struct tg_earlier_addon *addon = malloc(sizeof *addon + length);
  if (addon == NULL) return 0;
  addon->next = earlier_addons;
  memcpy(addon->file, place.file, length);
  earlier_addons = addon;
  return 0;
}

const struct tg_earlier_addon *tg_earlier_addons_record(const struct tg_image *runtime,
                                                        const struct tg_redirection *redirections,
                                                        size_t count) {
  struct addon_search search = {runtime, redirections, count};
  dl_iterate_phdr(record_if_addon, &search);
  return earlier_addons;
}

/* Out of line, because each create calls tg_earlier_addons_have, and such addons hardly ever
 * exist. */
__attribute__((noinline, cold)) static bool is_in_earlier_addon(const void *code) {
  struct tg_place place;
  if (!tg_addon_locate(code, &place)) return false;
  for (const struct tg_earlier_addon *addon = earlier_addons; addon != NULL; addon = addon->next)
    if (strcmp(addon->file, place.file) == 0) return true;
  return false;
}

bool tg_earlier_addons_have(const void *code) {
  return earlier_addons != NULL && is_in_earlier_addon(code);
}

/* Reserves address space: inaccessible memory, which costs nothing until it is used. */
#ifndef TG_BASE_ADDRESSES_H
#define TG_BASE_ADDRESSES_H

#include <stddef.h>
#include <stdint.h>

/* All handles are below this. On x86-64 a process has no addresses above it; on arm64 it has. */
#define TG_ADDRESS_LIMIT ((uintptr_t)1 << 47)

/* NULL: there is no address space. */
void *tg_reserve_anywhere(size_t size);

/* The same, with its last byte below `limit`. */
void *tg_reserve_below(uintptr_t limit, size_t size);

#endif

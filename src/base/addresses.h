/* Reserves address space: inaccessible memory, which costs nothing until it is used. */
#ifndef TG_BASE_ADDRESSES_H
#define TG_BASE_ADDRESSES_H

#include <stddef.h>
#include <stdint.h>

/* Handles are below this. The processes of x86-64 have no address above it, those of arm64 have. */
#define TG_ADDRESS_LIMIT ((uintptr_t)1 << 47)

/* NULL: there is no room. */
void *tg_reserve_anywhere(size_t size);

/* The same, with its last byte below `limit`. */
void *tg_reserve_below(uintptr_t limit, size_t size);

#endif

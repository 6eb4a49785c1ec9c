/* The lines, the table and the JSON of tsfn-guard status. */
#ifndef TG_COMMAND_STATUS_PRINT_H
#define TG_COMMAND_STATUS_PRINT_H

#include <stddef.h>

#include "command/status/look.h"

void tg_status_print(const struct tg_look *look);

/* One line of the list; `columns` is where it is cut, or SIZE_MAX. */
void tg_status_print_head(void);
void tg_status_print_line(const struct tg_look *look, size_t columns);

/* One object. */
void tg_status_print_json(const struct tg_look *look);

#endif

/* Prints the lines, the table and the JSON of tsfn-guard status. */
#ifndef TG_COMMAND_STATUS_PRINT_H
#define TG_COMMAND_STATUS_PRINT_H

#include <stddef.h>

#include "command/status/look.h"

void tg_status_print(const struct tg_look *look);

/* Print the heading, and one line, of the list. The line is cut off at `columns`, unless that is
 * SIZE_MAX. */
void tg_status_print_head(void);
void tg_status_print_line(const struct tg_look *look, size_t columns);

/* Prints one object. */
void tg_status_print_json(const struct tg_look *look);

#endif

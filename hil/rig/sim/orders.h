#ifndef ORDERS_H
#define ORDERS_H

#include <stdbool.h>

bool carry_out(char *line);             /* one command; false: refused, with the reason in `refusal` */
bool order_for_later(const char *text); /* "<ns> <command>" */
bool refuse(const char *format, ...) __attribute__((format(printf, 1, 2))); /* notes the reason; always false */
extern char refusal[512];

#endif

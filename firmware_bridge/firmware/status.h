/* The board's own health: supply and sensor, measured in the background. */
#ifndef STATUS_H
#define STATUS_H

#include <stdint.h>

#define SENSOR_NONE 0xFFFF

void status_init(void);
void status_beat(void);          /* each ms: one small step of measuring */
uint16_t status_supply_mv(void); /* 0: not known yet */
uint16_t status_sensor_mv(void); /* SENSOR_NONE: none there */

#endif

"""Hardware that isn't there: a machine with its own time, and the HX711 model behind GPIO pins, SPI and sysfs."""

"""The rig: real firmware in an emulated ATmega328P with HX711 models on its pins, or on a real board, alike."""

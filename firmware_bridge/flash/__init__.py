"""New firmware into a shelf MCU: the image is checked first, avrdude writes it, and the MCU is asked what it runs."""

"""The firmware of the shelf MCU: its C sources, the prebuilt image, and the manifest that says what the image is."""

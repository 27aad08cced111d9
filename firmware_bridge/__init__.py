"""The ground floor: the serial link to shelf MCUs, and the root of the error tree that everyone above shares."""

"""The demonstration: the whole relay on loopback, with a capturing upstream."""

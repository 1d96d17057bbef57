"""The demonstration: the whole relay on loopback, with a capturing next hop and sample messages."""

"""Compiles the modules on the path of mail to machine code, for `make fast`."""

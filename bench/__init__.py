"""Measurements of the relay against Postfix, in one alternated run; `make bench`."""

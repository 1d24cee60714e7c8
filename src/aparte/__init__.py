"""Aparté: a messenger that anyone can host with one command. `ARCHITECTURE.md` is the map."""

__version__ = "0.1.0"

"""Sealed objects: containers that members of encrypted conversations leave for each other, for thirty days.

Owns `objects`, and the files in the folder of `OBJECTS_URL`. Invariants: an object is written once and never changed;
only present members of its conversation put and get it; a row is committed after its file is on the disk, and a file is
deleted after its row, so a crash leaves files without rows at most, which a job clears away. What is in an object, or
what it is for, nobody here can tell.
"""

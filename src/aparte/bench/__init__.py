"""Measures a real Aparté and prints what it found; never a test, for speed depends on the machine."""

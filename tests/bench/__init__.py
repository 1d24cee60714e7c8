"""What the measurements count is true; how fast anything is, is never asserted."""

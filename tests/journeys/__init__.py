"""Stories told over a whole Aparté."""

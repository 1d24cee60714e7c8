"""The command line: `aparte …`. Only the public names of `aparte.client` are used here."""

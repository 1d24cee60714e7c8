"""The profile's use of the cryptography: own keys, whose keys we know, linking; nothing leaves before it is saved."""

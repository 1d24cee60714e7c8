"""The SDK's decisions without IO: what to ask, what to store, how long to wait. No clock, no randomness, no sockets."""

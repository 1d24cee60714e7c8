"""Live sockets: the doorbell's answer. Knows accounts, conversations and frames; imports no slice.

`gateway` opens a device's socket and reads it, `hub` knows who is here and pushes, `bus` tells the other processes,
`look` asks PostgreSQL every 15 s what hints were lost.
"""

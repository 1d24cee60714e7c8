"""The sparse post-quantum ratchet (SPQR v1, the ML-KEM Braid) of the Signal protocol.

Modules, lowest first:

    record  galois  erasure  polynomial  mlkem_split  authenticator  chain  message  states  protocol
"""

from aparte.e2ee.spqr.protocol import SpqrState, receive, send, start

__all__ = ["SpqrState", "receive", "send", "start"]

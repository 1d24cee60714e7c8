"""End-to-end encryption, sans-IO: the Signal protocol as pure steps from state and input to state and output.

Nothing here reads a clock, a file or a socket; time and randomness are arguments. What is on the wire is
described in `docs/protocol/signal.md` and, for what Aparté lays above it, in `docs/protocol/e2ee.md`. Modules, lowest
first:

    errors  primitives  state  protobuf  xeddsa  keys  devices  bundle  messages  kdf_chain
    handshake  prekeys  spqr  ratchet  session  group  fingerprint
    canonical  padding  entry  content  device_list  roster  invite  statement  members  membership_table  membership
    container  invite_card  grant  signed_items  payload  linking
"""

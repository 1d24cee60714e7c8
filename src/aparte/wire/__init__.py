"""The public language of Aparté: ids, kinds of entries, REST bodies, gateway frames, error codes, codec.

Shared by server and clients; no IO. The OpenAPI document and the description of the frames are generated from
these structs, so what is written here is what is validated, stored in the documents and sent.
"""

"""Descriptions of the server, generated from what it runs on: nothing in them is written twice.

`schemas` turns structs into JSON Schema, `document` the route table into OpenAPI 3.1, `gateway` the frames and the
kinds of entries into one JSON Schema. `edge.openapi` serves them; `tools/docs` writes `docs/protocol/` from them.
"""

"""The only network IO of the SDK: HTTP requests and the gateway's socket."""

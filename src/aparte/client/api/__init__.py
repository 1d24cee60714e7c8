"""The server's REST interface as the SDK uses it: one module for each subject, functions that take the session."""

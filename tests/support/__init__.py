"""People, databases and servers for the tests: all of them real."""

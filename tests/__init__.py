"""Tests mirror src/; journeys/ tells stories over real servers; support/ has people, databases and servers."""

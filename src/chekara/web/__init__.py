"""Pages for officers, rendered on the server from documented dataclasses."""

"""The notebook face; nothing else imports it at module level."""

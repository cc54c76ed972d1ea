"""Interpreters behind one seam; nothing else imports one."""

"""Samplers: one protocol, one file each."""

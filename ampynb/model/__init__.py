"""The parameter table and the coordinates that it defines."""

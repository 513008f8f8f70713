"""Running an algorithm: the engine, its loop, its events and who shows them."""

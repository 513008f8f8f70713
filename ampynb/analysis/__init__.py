"""The user's side of a fit: data, likelihood, and the posterior made of them."""

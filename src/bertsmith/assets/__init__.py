"""What travels with the package: the demo's own data."""

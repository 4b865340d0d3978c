"""Decoding under a prefix mask: sampling, beam search, similar sentences."""

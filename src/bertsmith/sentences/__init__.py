"""Sentence vectors: encoders, pairs, contrastive training, whitening, evaluation."""

"""BERT-family text encoders, Chinese first."""

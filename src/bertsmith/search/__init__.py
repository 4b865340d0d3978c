"""Vectors -> neighbours: index on disk, semantic and hybrid search, retrieval evaluation."""

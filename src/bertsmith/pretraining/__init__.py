"""Objective = arrangement × corruption × attention mask × losses: how an encoder learns from raw text."""

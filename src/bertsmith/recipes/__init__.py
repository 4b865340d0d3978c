"""Runs as values: a recipe and rows in, a trained and measured model out. The only place where siblings meet.

What `__init__.pyi` names is loaded when it is first used: who predicts need not load what pre-trains.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

"""BERT-family text encoders, Chinese first: from texts to a proven model, with scikit-learn habits.

Importing this package pulls no torch; what `__init__.pyi` names is loaded when it is first used.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

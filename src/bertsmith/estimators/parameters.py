"""scikit-learn's manners without scikit-learn: parameters that can be read, set and cloned."""

import inspect
from typing import Any, TypeVar

P = TypeVar("P", bound="Parameters")


class Parameters:
    """An estimator whose constructor only stores its arguments, under their own names."""

    @classmethod
    def _names(cls) -> list[str]:
        signature = inspect.signature(cls.__init__)
        return [name for name in signature.parameters if name != "self"]

    def get_params(self, deep: bool = True) -> dict[str, Any]:  # noqa: FBT001, FBT002 - scikit-learn's signature
        """Return the constructor's arguments; there are no nested estimators, so `deep` changes nothing."""
        return {name: getattr(self, name) for name in self._names()}

    def set_params(self: P, **params: Any) -> P:
        """Change arguments by name.

        Raises:
            ValueError: there is no such argument.
        """
        names = self._names()
        for name, value in params.items():
            if name not in names:
                raise ValueError(f"{type(self).__name__} has no parameter {name!r}; it has {', '.join(names)}")
            setattr(self, name, value)
        return self

    def __repr__(self) -> str:
        defaults = inspect.signature(type(self)).parameters
        changed = (f"{k}={v!r}" for k, v in self.get_params().items() if v != defaults[k].default)
        return f"{type(self).__name__}({', '.join(changed)})"

"""Texts, or pairs of texts, to numbers."""

from typing import Any, ClassVar

import numpy as np

from bertsmith.errors import UserError
from bertsmith.estimators.base import Given, Labelled, TextEstimator, Texts, records_of
from bertsmith.estimators.inputs import finite_numbers, pairs_of_texts, plain, strings
from bertsmith.finetuning import RegressionAnswers


class Regressor(TextEstimator):
    """A number for a text, or for two texts read together.

    Inputs are texts, or pairs `[("a", "b"), ...]`; where the order of a pair does not matter,
    `settings=["task.symmetric=true"]`.

    >>> Regressor("tiny-zh").fit(texts, stars).predict(["..."])  # doctest: +SKIP
    """

    tasks: ClassVar[tuple[str, ...]] = ("regression",)

    def fit(self, texts: Any, numbers: Any, *, dev: tuple[Any, Any] | None = None) -> "Regressor":
        """Train on texts and numbers; the best weights are chosen on `dev` (texts, numbers), or on 10 % set aside.

        Raises:
            UserError: texts and numbers do not fit, all numbers are equal, or the checkpoint cannot be had.
        """
        self._train(texts, numbers, dev)
        return self

    def labelled(self, given: Given) -> Labelled:
        """A number a text, or a number a pair."""
        rows = {
            name: records_of(self._texts(some), finite_numbers(theirs, name), name)
            for name, (some, theirs) in given.items()
        }
        reads = "one" if rows["train"] and rows["train"][0].text_pair is None else "pair"
        return Labelled(rows, {"texts": reads}, "float")

    def predict(self, texts: Any) -> np.ndarray:
        """The number of every text, on the scale of the numbers trained on."""
        answers = self._fitted().answers
        assert isinstance(answers, RegressionAnswers)
        parts = self._texts(texts)
        if not parts[0]:
            return np.zeros(0)
        return answers.numbers(self._said(parts).values)

    def score(self, texts: Any, numbers: Any) -> float:
        """The coefficient of determination R², as scikit-learn's regressors score: 1 is perfect, 0 is the mean.

        Raises:
            UserError: all true numbers are equal.
        """
        truth = np.array(finite_numbers(numbers, "numbers"))
        spread = float(((truth - truth.mean()) ** 2).sum())
        if not spread:
            raise UserError("a score needs at least two different true numbers", code="constant_scores")
        return float(1 - ((truth - self.predict(texts)) ** 2).sum() / spread)

    def __sklearn_tags__(self) -> Any:
        """What scikit-learn wants to know: a regressor of strings."""
        from sklearn.utils import InputTags, RegressorTags, Tags, TargetTags

        return Tags(
            estimator_type="regressor",
            target_tags=TargetTags(required=True),
            regressor_tags=RegressorTags(),
            input_tags=InputTags(one_d_array=True, two_d_array=True, string=True),
        )

    def _texts(self, inputs: Any) -> Texts:
        if isinstance(inputs, str):
            return strings(inputs), None
        given = plain(inputs)
        return pairs_of_texts(given) if given and not isinstance(given[0], str) else (strings(given), None)

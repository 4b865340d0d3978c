"""Yes or no for every item: the logistic loss."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional as F

from bertsmith.losses.total import Total


def binary_loss(scores: Float[Tensor, "items"], answers: Bool[Tensor, "items"]) -> Total:
    """Cross entropy of sigmoid(scores), summed over items, in float32 or wider."""
    exact = scores.to(torch.promote_types(scores.dtype, torch.float32))
    total = F.binary_cross_entropy_with_logits(exact, answers.to(exact.dtype), reduction="sum")
    return Total(total, total.new_full((), len(answers)))

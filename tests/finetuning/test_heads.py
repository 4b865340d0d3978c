"""Every head on the encoder: what fits together, and that texts stay apart."""

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from torch.testing import assert_close

from bertsmith.finetuning import LabelledBatch, pack_readings, predict

from .samples import readings, tuner

CPU = torch.device("cpu")
TOKENS = {"pooling": "tokens"}
ON_TEXTS = {
    "mlp": {"head": {"kind": "mlp", "hidden": 5}},
    "multi_sample": {"head": {"kind": "multi_sample", "samples": 3}},
    "text_cnn": {"head": {"kind": "text_cnn", "filters": 4}, "features": TOKENS},
}


@pytest.mark.parametrize("parts", ON_TEXTS.values(), ids=ON_TEXTS)
def test_prediction_does_not_depend_on_company(parts):
    model = tuner(**parts)
    texts = readings([4, 1, 7, 2])
    together = predict(model, [texts], device=CPU).values
    alone = [predict(model, [[text]], device=CPU).values[0] for text in texts]
    assert together.shape == (4, 3)
    assert_close(together, np.stack(alone), atol=1e-6, rtol=0)


def test_multi_sample_loss_is_the_mean_over_dropouts():
    model = tuner(head={"kind": "multi_sample", "samples": 4, "of": {"kind": "linear", "dropout": 0.5}})
    made = LabelledBatch(pack_readings(readings([4, 3])), torch.tensor([0, 2]))
    torch.manual_seed(5)
    found = model(made)["loss"]
    torch.manual_seed(5)
    single = [model.criterion.loss(model.scores(made.texts), made.targets, None).sum for _ in range(4)]
    assert_close(found, torch.stack(single).mean())
    assert len({loss.item() for loss in single}) == 4


@pytest.mark.parametrize(
    ("parts", "told"),
    [
        ({"head": {"kind": "text_cnn"}}, "set features.pooling to tokens"),
        ({"head": {"kind": "bilstm"}}, "choose linear, mlp or text_cnn"),
        ({"features": TOKENS}, "set features.pooling to cls"),
        ({"criterion": {"kind": "crf"}}, "does not fit task classification"),
    ],
)
def test_what_does_not_fit_is_refused(parts, told):
    with pytest.raises(ValidationError, match=told):
        tuner(**parts)

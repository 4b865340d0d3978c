"""FGM and PGD: lengths and directions by hand, gradients whole, weights untouched, cuts without effect."""

from dataclasses import dataclass
from itertools import accumulate, pairwise

import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from bertsmith.batch import PackedBatch, pack
from bertsmith.encoder import Encoder, EncoderConfig, new_encoder
from bertsmith.training import Fgm, Pgd, adversarial, plain
from bertsmith.training.adversarial import _lengths
from bertsmith.training.determinism import seed_micro_batch

from ..finetuning.samples import examples

FLOAT, CPU = torch.float32, torch.device("cpu")


@dataclass(frozen=True)
class Texts:
    texts: PackedBatch
    targets: Tensor

    @property
    def num_tokens(self) -> int:
        return self.texts.num_tokens

    def to(self, device: torch.device) -> "Texts":
        return self


class Scorer(nn.Module):
    """An encoder under a linear head; `passes` encodes each batch more than once, as R-Drop does."""

    loss_names = ("loss",)
    top_depth = 2

    def __init__(self, *, dropout: float = 0.0, passes: int = 1) -> None:
        super().__init__()
        config = EncoderConfig(
            vocab_size=31,
            hidden_size=12,
            num_layers=2,
            num_heads=3,
            intermediate_size=19,
            hidden_dropout=dropout,
            attention_dropout=dropout,
            initializer_range=0.2,
        )
        self.encoder: Encoder = new_encoder(config, seed=0)
        self.head = nn.Linear(12, 3)
        nn.init.normal_(self.head.weight, generator=torch.Generator().manual_seed(1))
        nn.init.zeros_(self.head.bias)
        self.passes = passes

    def loss_weights(self, batch: Texts) -> dict[str, Tensor]:
        return {"loss": torch.tensor(float(len(batch.targets)))}

    def forward(self, batch: Texts) -> dict[str, Tensor]:
        losses = [self.loss(batch) for _ in range(self.passes)]
        return {"loss": torch.stack(losses).sum() / self.passes}

    def loss(self, batch: Texts) -> Tensor:
        first = self.encoder(batch.texts).last[batch.texts.cu_seqlens[:-1].long()]
        return nn.functional.cross_entropy(self.head(first), batch.targets, reduction="sum")

    def depth_of(self, parameter: str) -> int:
        part, _, name = parameter.partition(".")
        return self.encoder.depth_of(name) if part == "encoder" else 3


def texts(lengths: list[int] = [7, 3, 5, 3]) -> Texts:  # noqa: B006
    return Texts(pack(examples(lengths)), torch.arange(len(lengths)) % 3)


def gradients(model: Scorer) -> dict[str, Tensor]:
    return {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}


def stepped(model: Scorer, config: Fgm | Pgd | None, *batches: Texts, scale: float = 0.25) -> dict[str, Tensor]:
    step = plain(FLOAT, CPU)
    if config is not None:
        step = adversarial(step, config, model.encoder.embeddings)
    model.zero_grad()
    for number, batch in enumerate(batches):
        seed_micro_batch(0, 0, number)
        step(model, batch, {"loss": torch.tensor(scale)})
    return gradients(model)


def moved_by_hand(model: Scorer, batch: Texts, config: Fgm | Pgd, scale: float) -> dict[str, Tensor]:
    """Every text alone, its token vectors given as a tensor of their own, as in the papers."""
    model.zero_grad()
    token = model.encoder.embeddings.token
    starts = batch.texts.cu_seqlens.tolist()
    for number, (start, end) in enumerate(pairwise(starts)):
        texts = PackedBatch(
            batch.texts.token_ids[start:end],
            batch.texts.segment_ids[start:end],
            batch.texts.position_ids[start:end],
            torch.tensor([0, end - start], dtype=torch.int32),
            (end - start,),
        )
        one = Texts(texts, batch.targets[number : number + 1])
        (model.loss(one) * scale).backward()
        away = torch.zeros(end - start, 12)
        for _ in range(config.steps):
            away = away.detach().requires_grad_()
            with_hook = token.register_forward_hook(lambda module, inputs, vectors, away=away: vectors + away)
            (direction,) = torch.autograd.grad(model.loss(one), away)
            with_hook.remove()
            away = away + config.step_size * direction / direction.norm()
            if away.norm() > config.epsilon:
                away = away * config.epsilon / away.norm()
        fixed = away.detach()
        hook = token.register_forward_hook(lambda module, inputs, vectors, fixed=fixed: vectors + fixed)
        (model.loss(one) * scale * config.weight).backward()
        hook.remove()
    return gradients(model)


KINDS = [
    Fgm(epsilon=0.5),
    Fgm(epsilon=2.0, weight=0.5),
    Pgd(epsilon=0.5, step_size=0.3, steps=3),
    Pgd(epsilon=5.0, step_size=0.2, steps=2),
]


@pytest.mark.parametrize("config", KINDS, ids=str)
def test_gradients_are_those_of_the_papers_text_by_text(config):
    model = Scorer()
    assert_close(stepped(model, config, texts()), moved_by_hand(model, texts(), config, 0.25), atol=2e-6, rtol=1e-4)


@pytest.mark.parametrize("config", KINDS, ids=str)
def test_weights_and_hooks_are_as_before(config):
    model = Scorer(dropout=0.1)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    stepped(model, config, texts())
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert all(parameter.requires_grad for parameter in model.parameters())
    embeddings = model.encoder.embeddings
    assert not embeddings.token._forward_hooks
    assert not embeddings._forward_pre_hooks


def test_an_error_leaves_no_hook_behind():
    model = Scorer()
    wrong = Texts(texts().texts, torch.tensor([0, 1, 2, 9]))
    with pytest.raises(IndexError):
        stepped(model, Fgm(), wrong)
    assert not model.encoder.embeddings.token._forward_hooks


def part(whole: Texts, rows: list[int]) -> Texts:
    starts, sizes = whole.texts.cu_seqlens.tolist(), tuple(whole.texts.lengths[row] for row in rows)
    places = torch.cat([torch.arange(starts[row], starts[row + 1]) for row in rows])
    ids = (tensor[places] for tensor in (whole.texts.token_ids, whole.texts.segment_ids, whole.texts.position_ids))
    boundaries = torch.tensor([0, *accumulate(sizes)], dtype=torch.int32)
    return Texts(PackedBatch(*ids, boundaries, sizes), whole.targets[rows])


@pytest.mark.parametrize("config", KINDS, ids=str)
def test_the_cut_into_micro_batches_does_not_matter(config):
    model, whole = Scorer().double(), texts()
    parts = [part(whole, rows) for rows in ([0, 1], [2], [3])]
    assert_close(stepped(model, config, *parts), stepped(model, config, whole), atol=1e-10, rtol=1e-8)


def test_the_losses_reported_are_those_of_the_texts_as_they_are():
    model, scales = Scorer(), {"loss": torch.tensor(1.0)}
    clean = plain(FLOAT, CPU)(model, texts(), scales)
    attacked = adversarial(plain(FLOAT, CPU), Fgm(epsilon=3.0), model.encoder.embeddings)(model, texts(), scales)
    assert torch.equal(clean["loss"], attacked["loss"])


def test_the_moved_text_is_harder():
    model, batch = Scorer(), texts()
    seen = []
    step = plain(FLOAT, CPU)

    def listening(*arguments):
        seen.append(step(*arguments)["loss"].item())
        return {"loss": torch.tensor(seen[-1])}

    adversarial(listening, Pgd(epsilon=1.0, step_size=0.4, steps=3), model.encoder.embeddings)(
        model, batch, {"loss": torch.tensor(1.0)}
    )
    assert seen == sorted(seen)
    assert len(seen) == 4


@pytest.mark.parametrize("frozen", ["embeddings", "encoder"])
def test_frozen_weights_get_no_gradient_and_the_text_is_moved_all_the_same(frozen):
    model = Scorer()
    part = model.encoder if frozen == "encoder" else model.encoder.embeddings
    part.requires_grad_(False)
    found = stepped(model, Fgm(epsilon=2.0), texts())
    clean = stepped(model, None, texts())
    assert set(found) == set(clean) == {n for n, p in model.named_parameters() if p.requires_grad}
    assert not torch.allclose(found["head.weight"], 2 * clean["head.weight"])


def test_two_passes_have_perturbations_of_their_own():
    """Without dropout both passes are alike, so twice the same gives once."""
    config = Fgm(epsilon=0.7)
    assert_close(stepped(Scorer(passes=2), config, texts()), stepped(Scorer(), config, texts()), atol=1e-6, rtol=1e-5)


def test_mixed_precision_and_recomputed_layers():
    model = Scorer()
    step = adversarial(plain(torch.bfloat16, CPU), Pgd(), model.encoder.embeddings)
    step(model, texts(), {"loss": torch.tensor(1.0)})
    kept = stepped(model, Pgd(), texts())
    model.encoder.activations = "recomputed"
    assert_close(stepped(model, Pgd(), texts()), kept, atol=1e-6, rtol=1e-5)


def test_length_is_over_a_whole_sequence():
    batch = pack(examples([2, 1]))
    vectors = torch.tensor([[3.0, 0.0], [0.0, 4.0], [1.0, 0.0]])
    assert _lengths(vectors, batch).tolist() == [5.0, 1.0]

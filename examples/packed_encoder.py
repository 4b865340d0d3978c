"""The encoder itself: texts packed end to end, hidden states, masks, vectors.

python examples/packed_encoder.py [MODEL]      without one: random weights
"""

import sys

import torch

from bertsmith import Encoder
from bertsmith.batch import pack, per_sequence
from bertsmith.encoder import SHAPES, Bidirectional, EncoderConfig, PrefixLM, new_encoder
from bertsmith.encoder.hub import resolve
from bertsmith.features import mean_tokens
from bertsmith.text import Tokenizer, train_vocabulary

TEXTS = ["我的快递到哪了", "发票抬头写错了咋改", "积分啥时候到账，能不能兑换优惠券"]


def model() -> tuple[Encoder, Tokenizer]:
    """The checkpoint named on the command line, or a new one."""
    if len(sys.argv) > 1:
        return Encoder.from_pretrained(sys.argv[1]), Tokenizer.from_folder(resolve(sys.argv[1]))
    tokenizer = train_vocabulary(TEXTS * 2, size=100)
    config = EncoderConfig(vocab_size=tokenizer.vocab_size, **SHAPES["tiny"])
    return new_encoder(config, seed=0).eval(), tokenizer


@torch.inference_mode()
def main() -> None:
    """Pack, encode, take apart; then the same texts alone."""
    encoder, tokenizer = model()
    examples = [tokenizer.assemble(text.token_ids) for text in tokenizer.tokenize(TEXTS)]
    batch = pack(examples)
    states = encoder(batch, Bidirectional(), keep_layers=(0, -1))
    print("tokens, no padding:", batch.num_tokens, "boundaries:", batch.cu_seqlens.tolist())
    print("hidden states:", [tuple(part.shape) for part in per_sequence(states.last, batch)])
    alone = torch.cat([encoder(pack([example])).last for example in examples])
    print("largest difference to encoding each text alone:", float((alone - states.last).abs().max()))

    vectors = torch.nn.functional.normalize(mean_tokens(states.last, batch))
    print("cosines of the mean vectors:", (vectors @ vectors.T).round(decimals=3).tolist())

    ids = [text.token_ids for text in tokenizer.tokenize(TEXTS[:2])]
    pair = pack([tokenizer.assemble(ids[0], ids[1])])
    print("first text read, second written left to right:", tuple(encoder(pair, PrefixLM()).last.shape))


if __name__ == "__main__":
    main()

"""Let TensorFlow write the checkpoints that the tests read. Run once, in an environment of its own:

    pip install tensorflow-cpu
    python tests/encoder/tensorflow/make_fixtures.py

The tests need neither TensorFlow nor this script; the fixtures were written by TensorFlow 2.21.0, by the
`tf.compat.v1` graph mode and Saver that the authors of BERT used.
"""

import json
import shutil
from pathlib import Path

import layouts
import tensorflow as tf

v1 = tf.compat.v1
v1.disable_eager_execution()

FOLDER = Path(__file__).parent / "fixtures"
DEVICES = ("/cpu:0", "/cpu:1", "/cpu:2")


def write(folder: Path, name: str, *, sharded: bool) -> None:
    saver = v1.train.Saver(sharded=sharded)
    with v1.Session(config=v1.ConfigProto(device_count={"CPU": len(DEVICES)})) as session:
        session.run(v1.global_variables_initializer())
        saver.save(session, str(folder / name), write_meta_graph=False, write_state=False)


def partitioned(name: str, shape: tuple[int, ...], axis: int) -> None:
    """Three parts, each on a device of its own, so that each lands in another shard."""
    values = layouts.numbers(name, shape)
    cuts = v1.fixed_size_partitioner(3, axis=axis)
    places = iter(DEVICES)

    def initial(shape: list[int], dtype: object = None, partition_info: object = None) -> object:
        starts = partition_info.var_offset if partition_info else [0] * len(shape)
        place = tuple(slice(start, start + size) for start, size in zip(starts, shape, strict=True))
        return tf.constant(values[place])

    with v1.device(lambda operation: next(places, DEVICES[0]) if operation.type.startswith("Variable") else None):
        v1.get_variable(name, shape=shape, partitioner=cuts, initializer=initial, use_resource=False)


def layout(name: str, file: str, config: str, *, sharded: bool, slots: tuple[str, ...] = ()) -> None:
    folder = FOLDER / name
    folder.mkdir(parents=True)
    with v1.Graph().as_default():
        for number, (variable, shape) in enumerate(layouts.variables(name).items()):
            if name == "bert" and variable.endswith("word_embeddings"):
                partitioned(variable, shape, 0)
                continue
            with v1.device(DEVICES[number % 2 if sharded else 0]):
                v1.get_variable(variable, initializer=layouts.numbers(variable, shape), use_resource=False)
                if "layer_0/output" in variable:
                    for slot in slots:
                        full = f"{variable}/{slot}"
                        v1.get_variable(full, initializer=layouts.numbers(full, shape), use_resource=False)
        if slots:
            v1.get_variable("global_step", initializer=tf.constant(1000, tf.int64), use_resource=False)
        write(folder, file, sharded=sharded)
    (folder / config).write_text(json.dumps(layouts.CONFIGS[name], indent=2) + "\n")
    words = layouts.WORDS if name == "roformer" else layouts.VOCAB
    (folder / "vocab.txt").write_text("\n".join(words) + "\n", encoding="utf-8")


def types() -> None:
    folder = FOLDER / "types"
    folder.mkdir(parents=True)
    with v1.Graph().as_default():
        for name, (dtype, shape) in layouts.DTYPES.items():
            source = "float32" if dtype == "bfloat16" else dtype
            values = tf.cast(tf.constant(layouts.numbers(name, shape, source)), dtype)
            v1.get_variable(name, initializer=values, use_resource=False)
        v1.get_variable("words", initializer=tf.constant(["a", "b"]), use_resource=False)
        for name, (shape, axis) in layouts.PARTITIONED.items():
            partitioned(name, shape, axis)
        write(folder, "types.ckpt", sharded=True)


if __name__ == "__main__":
    shutil.rmtree(FOLDER, ignore_errors=True)
    layout("bert", "bert_model.ckpt", "bert_config.json", sharded=True, slots=("adam_m", "adam_v"))
    layout("simbert", "bert_model.ckpt", "bert_config.json", sharded=False)
    layout("roformer", "bert_model.ckpt", "bert_config.json", sharded=False)
    layout("albert", "model.ckpt-best", "albert_config.json", sharded=True)
    layout("electra", "electra_tiny", "discriminator.json", sharded=False)
    (FOLDER / "electra" / "generator.json").write_text(json.dumps(layouts.GENERATOR, indent=2) + "\n")
    types()

"""Where the parts of an experiment lie in its folder."""

JOURNAL, SPLITS, TRIALS, ENCODERS = "trials.jsonl", "splits", "trials", "encoders"
"""In the folder of the experiment; `trials/KEY/` is the folder of a trial, `encoders/` what trials start from."""

TRIAL, OUTCOME, COURSE, OUTPUT = "trial.json", "outcome.json", "course.jsonl", "output.txt"
"""In the folder of a trial, beside `recipe.yaml`, `log.jsonl` and `SPLIT.safetensors`."""

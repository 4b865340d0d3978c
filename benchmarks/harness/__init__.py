"""The benchmark harness: cases are measured in interleaved rounds, each system in processes of its own.

`cases` says what is measured, `processes` and `child` how, `ours*` and `peer*` by whom, `verdicts`, `tables` and
`picture` what came of it.
"""

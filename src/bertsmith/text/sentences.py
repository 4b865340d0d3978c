"""Where sentences begin: Chinese and English marks, without a model."""

import re

_CLOSING = "[”’」』）】》\"')\\]]*"
_END = re.compile(
    rf"(?:[。！？]+|[!?]+(?![A-Za-z0-9=&]))[。！？!?]*{_CLOSING}"  # inside a Chinese text nothing follows
    rf"|(?<=[^\s.])\.{_CLOSING}(?=\s+[^a-z\s])"  # not 3.14, not a name of a file, not "e.g. this"
)


def sentence_starts(text: str) -> list[int]:
    """The first character of every sentence of a paragraph, in order; white space begins none.

    A sentence ends after `。！？!?` with the quotes and brackets that close there, and after a full
    stop that white space and no small letter follow (Sun et al. 2019, arXiv 1905.05583, split
    Chinese at 。？！ to pair sentences).
    """
    starts = [0] if text and not text.isspace() else []
    for match in _END.finditer(text):
        start = match.end()
        while start < len(text) and text[start].isspace():
            start += 1
        if start < len(text):
            starts.append(start)
    return starts

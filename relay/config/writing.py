"""Write settings as YAML that the loader reads back as the same text.

Pure.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence

_PLAIN = re.compile(r"[A-Za-z0-9_/.$+<][A-Za-z0-9_/.$+<>=@% -]*(?<! )")
_NO_TEXT = frozenset({"null", "~", ""})


def scalar(value: object) -> str:
    """Write one value; quoted where YAML would read something else."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    text = str(value)
    if _PLAIN.fullmatch(text) and text not in _NO_TEXT:
        return text
    return json.dumps(text, ensure_ascii=False)


def flow(value: object) -> str:
    """Write a value on one line: `{file: key.pem}`, `[1m, 5m]`."""
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{scalar(name)}: {flow(item)}' for name, item in value.items())}}}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return f"[{', '.join(flow(item) for item in value)}]"
    return scalar(value)


def block(value: object, above: tuple[str, ...] = (), indent: str = "") -> Iterator[tuple[str, str]]:
    """Write a value over several lines; each comes with the path of the setting that stands on it."""
    if isinstance(value, Mapping):
        for name, item in value.items():
            yield from _entry(f"{indent}{scalar(name)}:", item, (*above, str(name)), indent)
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for number, item in enumerate(value):
            yield from _item(item, (*above, str(number)), indent)


def _entry(head: str, item: object, path: tuple[str, ...], indent: str) -> Iterator[tuple[str, str]]:
    if _is_short(item):
        yield f"{head} {flow(item)}", ".".join(path)
    else:
        yield head, ".".join(path)
        yield from block(item, path, f"{indent}  ")


def _item(item: object, path: tuple[str, ...], indent: str) -> Iterator[tuple[str, str]]:
    if _is_short(item):
        yield f"{indent}- {flow(item)}", ".".join(path)
        return
    dash = True
    for line, below in block(item, path, f"{indent}  "):
        yield (f"{indent}- {line[len(indent) + 2 :]}" if dash else line), below
        dash = False


def _is_short(item: object) -> bool:
    if isinstance(item, Mapping):
        return not item or (len(item) == 1 and set(item) <= {"file", "env", "credential"})
    if isinstance(item, Sequence) and not isinstance(item, str):
        return not any(isinstance(below, Mapping) for below in item) and len(flow(item)) < 90
    return True

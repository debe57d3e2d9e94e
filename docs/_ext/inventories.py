"""Inventories for intersphinx, written from a short list instead of fetched."""

import tomllib
import zlib

HEADER = """\
# Sphinx inventory version 2
# Project: {library}
# Version:
# The remainder of this file is compressed using zlib.
"""


def write(listed, folder):
    """Write an inventory per library of a list.

    Parameters
    ----------
    listed : Path
        A TOML file: by library its address, the pattern of its pages, and the names
        of the classes and functions.
    folder : Path
        Where the inventories go.

    Returns
    -------
    dict of str to (str, str)
        What intersphinx_mapping takes: by library its address and its inventory.
    """
    folder.mkdir(exist_ok=True)
    mapping = {}
    for library, of in tomllib.loads(listed.read_text(encoding="utf-8")).items():
        path = folder / f"{library}.inv"
        lines = (
            f"{name} py:{kind} 1 {of['page'].format(name=name)}#{name} -\n"
            for kind in ("class", "function")
            for name in of.get(kind, [])
        )
        body = zlib.compress("".join(lines).encode())
        path.write_bytes(HEADER.format(library=library).encode() + body)
        mapping[library] = (of["url"], str(path))
    return mapping

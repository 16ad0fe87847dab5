"""Reads files of rows as people bring them: CSV in the encodings that programs save it in, a row at a time."""

from __future__ import annotations

import codecs
import csv
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from syndicate.errors import BadInput

LONGEST_HEADER = 2000
_BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


@dataclass(frozen=True, slots=True)
class Looked:
    """What a first pass over a file found: its SHA-256, its encoding, how many lines it has."""

    sha256: str
    encoding: str
    lines: int


def look_at(path: Path) -> Looked:
    """Reads the whole file once. UTF-8 or UTF-16 by their marks, else UTF-8 if it is, else Windows-1252. Raises
    BadInput when it cannot be read, is empty or is no text."""
    digest = hashlib.sha256()
    lines = 0
    try:
        with path.open("rb") as file:
            start = file.read(4)
            encoding = next((name for bom, name in _BOMS if start.startswith(bom)), "")
            file.seek(0)
            decoder = codecs.getincrementaldecoder("utf-8")()
            is_utf8 = True
            for block in _blocks(file):
                digest.update(block)
                lines += block.count(b"\n")
                if not encoding:
                    if b"\0" in block:
                        raise BadInput(f"{path} is not a text file.", cure="Save it as CSV, in UTF-8.")
                    is_utf8 = is_utf8 and _decodes(decoder, block)
            is_utf8 = is_utf8 and _decodes(decoder, b"", final=True)
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror}.") from None
    if not start:
        raise BadInput(f"{path} is empty.")
    return Looked(digest.hexdigest(), encoding or ("utf-8" if is_utf8 else "cp1252"), lines)


def csv_rows(
    path: Path, encoding: str, delimiter_of: Callable[[str], str], refuse: Callable[[int, str], None]
) -> Iterator[tuple[int, dict[str, str]]]:
    """The rows, each with the line that it begins in, by the names in the first line (lower case). `delimiter_of` says
    what parts the first line, or raises BadInput; what is no row goes to `refuse`."""
    with path.open(encoding=encoding, errors="replace", newline="") as file:
        header = file.readline(LONGEST_HEADER)
        delimiter = delimiter_of(header)
        columns = [name.strip().strip('"').lower() for name in header.rstrip("\r\n").split(delimiter)]
        reader = csv.reader(file, delimiter=delimiter, strict=True)
        while True:
            line = reader.line_num + 2  # where the row begins; the header was line 1
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                refuse(line, f"not a row of this file: {error}; is a quote missing?")
                continue
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) > len(columns):
                refuse(line, f"{len(cells)} cells, but the first line names {len(columns)} columns")
                continue
            yield line, dict(zip(columns, cells, strict=False))


def _blocks(file: BinaryIO) -> Iterator[bytes]:
    while block := file.read(1 << 20):
        yield block


def _decodes(decoder: codecs.IncrementalDecoder, block: bytes, final: bool = False) -> bool:
    try:
        decoder.decode(block, final)
    except UnicodeDecodeError:
        return False
    return True

"""Files and their compressed twins."""

from __future__ import annotations

import gzip
import hashlib
from pathlib import Path

from syndicate.publishing.local import Local
from syndicate.publishing.twins import compress, has_with_twin, put_recorded, put_with_twin, remove_with_twin

BODY = b"<feed>" + b"the same words again and again " * 500 + b"</feed>"


def test_the_twin_is_the_same_at_any_time_and_much_smaller() -> None:
    assert compress(BODY) == compress(BODY) and gzip.decompress(compress(BODY)) == BODY
    assert compress(BODY)[4:8] == bytes(4) and len(compress(BODY)) < len(BODY) / 10


def test_both_come_and_go_together(tmp_path: Path) -> None:
    target = Local(tmp_path)
    assert put_with_twin(target, "rss.xml", BODY) and not put_with_twin(target, "rss.xml", BODY)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["rss.xml", "rss.xml.gz"]
    assert has_with_twin(target, "rss.xml")
    (tmp_path / "rss.xml.gz").write_bytes(b"old")
    assert put_with_twin(target, "rss.xml", BODY), "a wrong twin is put right"
    assert remove_with_twin(target, "rss.xml") and not remove_with_twin(target, "rss.xml")
    assert list(tmp_path.iterdir()) == []


def test_what_is_recorded_and_there_is_not_even_compared(tmp_path: Path) -> None:
    target = Local(tmp_path)
    digest = hashlib.sha256(BODY).hexdigest()
    assert put_recorded(target, "rss.xml", BODY, None).changed
    (tmp_path / "rss.xml").write_bytes(b"edited by hand")
    assert not put_recorded(target, "rss.xml", BODY, digest).changed
    assert put_recorded(target, "rss.xml", BODY, None).changed
    (tmp_path / "rss.xml.gz").unlink()
    again = put_recorded(target, "rss.xml", BODY, digest)
    assert again.changed and again.sha256 == digest and has_with_twin(target, "rss.xml")

"""What a look at a folder finds: new, changed, renamed, gone, broken, not yet settled."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from syndicate.errors import BadInput, NotFound, SettingsError
from tests.sources.newsdesk import LONG, NOW, Newsdesk

STORY = f"# Night ferry returns\n\n{LONG}\n"


def story(title: str, words: str = LONG, **front: str) -> str:
    keys = "".join(f"{key}: {value}\n" for key, value in {"title": title, **front}.items())
    return f"---\n{keys}---\n{words}\n"


def test_every_kind_of_article_in_any_depth_is_found_once_in_the_order_of_the_names(desk: Newsdesk) -> None:
    for key in ("b.md", "a/deep/er/c.MARKDOWN", "d.htm", "e.html", "f.TXT"):
        title = "<title>A page</title>" if "htm" in key else "# A page" if "mar" in key.lower() or "md" in key else "A"
        desk.put(key, f"{title}\n\n<p>{LONG}</p>")
    sightings, look = desk.look()
    assert [each.key for each in sightings] == ["a/deep/er/c.MARKDOWN", "b.md", "d.htm", "e.html", "f.TXT"]
    assert [each.problem for each in sightings] == [""] * 5
    assert look.total == 5 and not look.gone and not look.waiting
    assert desk.keys() == []


@pytest.mark.parametrize(
    "name",
    [
        ".hidden.md",
        ".git/x.md",
        "x.md~",
        "x.md.tmp",
        ".x.md.swp",
        "x.md.part",
        "#x.md#",
        "#x.md",
        "~$x.md",
        ".~lock.x.md#",
        "x.md.lock",
        "photo.jpg",
        "notes.docx",
        "x.markdown.bak",
        "md",
    ],
)
def test_hidden_temporary_lock_and_other_files_never_count(desk: Newsdesk, name: str) -> None:
    desk.put(name, STORY)
    sightings, look = desk.look()
    assert (sightings, look.waiting, look.total) == ([], [], 0)


def test_an_empty_file_never_counts_and_a_blank_one_is_named(desk: Newsdesk) -> None:
    desk.put("empty.md", "")
    desk.put("blank.md", " \n\n")
    [sighting] = desk.look()[0]
    assert sighting.key == "blank.md"
    assert sighting.problem == "it holds no text. Write the story, or delete the file."


def test_a_pipe_is_not_waited_for(desk: Newsdesk) -> None:
    os.mkfifo(desk.folder / "pipe.md")
    assert desk.keys() == []


def test_a_link_that_leads_out_is_named_and_not_followed(desk: Newsdesk, tmp_path: Path) -> None:
    (tmp_path / "secret.md").write_text("# Secret\n\nNobody may read this.")
    (desk.folder / "link.md").symlink_to(tmp_path / "secret.md")
    (desk.folder / "out").symlink_to(tmp_path)
    (desk.folder / "picture.jpg").symlink_to(tmp_path / "secret.md")
    desk.put("real/a.md", STORY)
    (desk.folder / "inside.md").symlink_to(desk.folder / "real" / "a.md")
    (desk.folder / "loop").symlink_to(desk.folder)
    sightings, _ = desk.look()
    assert [(each.key, each.problem[:40]) for each in sightings] == [
        ("link.md", "it is a link that leads out of the folde"),
        ("out", "it is a link that leads out of the folde"),
        ("real/a.md", ""),
    ]
    with pytest.raises(NotFound):
        desk.source.read("link.md")
    assert desk.keys() == []  # told once


def test_the_folder_itself_may_be_a_link(desk: Newsdesk, tmp_path: Path) -> None:
    desk.put("a.md", STORY)
    (tmp_path / "elsewhere").symlink_to(desk.folder)
    linked = Newsdesk(tmp_path / "elsewhere")
    assert linked.keys() == ["a.md"]
    assert linked.source.read("a.md").content.title == "Night ferry returns"


def test_a_name_that_is_not_utf8_or_garbles_a_terminal_is_named(desk: Newsdesk) -> None:
    for name in (b"caf\xe9.md", b"two\nlines.md", b"red\x1b[31m.md"):
        with open(os.path.join(os.fsencode(desk.folder), name), "wb") as file:
            file.write(STORY.encode())
    sightings, _ = desk.look()
    assert [each.key for each in sightings] == ["caf\\udce9.md", "red\\x1b[31m.md", "two\\nlines.md"]
    assert all("Rename it." in each.problem for each in sightings)
    assert all(each.key.encode() for each in sightings)


def test_a_file_counts_once_it_is_a_second_old(desk: Newsdesk) -> None:
    desk.put("young.md", STORY, age=0.5)
    sightings, look = desk.look()
    assert (sightings, look.waiting) == ([], ["young.md"])
    sightings, look = desk.look(NOW + timedelta(seconds=0.6))
    assert ([each.key for each in sightings], look.waiting) == (["young.md"], [])


def test_a_file_that_is_being_changed_is_waited_for_and_not_gone(desk: Newsdesk) -> None:
    desk.put("a.md", STORY)
    desk.look()
    desk.put("a.md", STORY + "More.", age=0.2)
    sightings, look = desk.look()
    assert (sightings, look.waiting, look.gone) == ([], ["a.md"], [])


def test_a_file_that_changes_while_it_is_looked_at_is_waited_for(desk: Newsdesk) -> None:
    desk.put("a.md", STORY)
    desk.put("b.md", STORY)
    look = desk.source.look({}, NOW)
    desk.put("a.md", STORY + "Half a sen", age=0)
    (desk.folder / "b.md").unlink()
    assert list(look.sightings) == []
    assert (look.waiting, look.gone) == (["a.md"], [])


def test_a_time_from_a_clock_ahead_of_ours_does_not_hold_an_article_for_ever(desk: Newsdesk) -> None:
    desk.put("ahead.md", STORY, age=-86_400)
    real_now = datetime.now(UTC)
    moment = (real_now + timedelta(days=1)).timestamp()
    os.utime(desk.folder / "ahead.md", (moment, moment))
    assert desk.source.look({}, real_now).waiting == ["ahead.md"]  # it was put here just now
    assert desk.source.look({}, real_now + timedelta(seconds=3)).waiting == []


def test_what_did_not_change_is_not_even_opened(desk: Newsdesk) -> None:
    path = desk.put("a.md", STORY)
    desk.look()
    before = path.stat()
    path.write_bytes(STORY.replace("Night", "Light").encode())
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert desk.keys() == []  # same size, time and inode


def test_a_change_is_seen_and_so_is_a_file_put_in_the_place_of_another(desk: Newsdesk) -> None:
    path = desk.put("a.md", STORY)
    desk.look()
    desk.put("a.md", STORY + "\nMore words.\n")
    [sighting] = desk.look()[0]
    assert sighting.draft is not None and "More words." in sighting.draft.content.html
    other = desk.put("a.md.tmp", STORY + "\nMere words.\n")
    other.replace(path)
    [sighting] = desk.look()[0]
    assert sighting.draft is not None and "Mere words." in sighting.draft.content.html


def test_touched_and_unchanged_bytes_carry_the_same_digest(desk: Newsdesk) -> None:
    desk.put("a.md", STORY)
    [first] = desk.look()[0]
    desk.age("a.md", 30)
    [second] = desk.look()[0]
    assert first.fingerprint != second.fingerprint
    assert (first.sha256, first.draft) == (second.sha256, second.draft)
    assert second.modified_at == NOW - timedelta(seconds=30)


def test_a_change_of_the_defaults_reaches_files_that_did_not_change(desk: Newsdesk) -> None:
    desk.put("a.md", STORY)
    desk.look()
    desk.settings = {"defaults": {"section": "sea"}}
    [sighting] = desk.look()[0]
    assert sighting.draft is not None and sighting.draft.content.section == "sea"
    assert desk.keys() == []


def test_a_renamed_file_is_the_same_article_by_its_words(desk: Newsdesk) -> None:
    desk.put("a.md", story("Night ferry"))
    desk.put("other.md", story("Other", "Other words that nobody else has written."))
    desk.look()
    (desk.folder / "a.md").rename(desk.folder / "z.md")
    [sighting], look = desk.look()
    assert (sighting.key, sighting.renamed_from, look.gone) == ("z.md", "a.md", [])


def test_a_renamed_file_is_the_same_article_by_its_id_though_edited(desk: Newsdesk) -> None:
    desk.put("a.md", story("Night ferry", id="ferry-1"))
    desk.look()
    (desk.folder / "a.md").unlink()
    desk.put("world/b.md", story("Night ferry sails", LONG + " It is full.", id="ferry-1"))
    [sighting], look = desk.look()
    assert (sighting.key, sighting.renamed_from, look.gone) == ("world/b.md", "a.md", [])


def test_equal_words_under_another_id_are_another_article(desk: Newsdesk) -> None:
    desk.put("a.md", story("Night ferry", id="one"))
    desk.look()
    (desk.folder / "a.md").unlink()
    desk.put("b.md", story("Night ferry", id="two"))
    [sighting], look = desk.look()
    assert (sighting.renamed_from, look.gone) == ("", ["a.md"])


def test_a_copy_is_no_rename_while_the_first_is_there(desk: Newsdesk) -> None:
    desk.put("a.md", story("Night ferry"))
    desk.look()
    desk.put("b.md", story("Night ferry"))
    [sighting], look = desk.look()
    assert (sighting.renamed_from, look.gone) == ("", [])


def test_a_renamed_subfolder_renames_each_file_once_by_its_own_name(desk: Newsdesk) -> None:
    for name in ("a", "b", "c"):
        desk.put(f"old/{name}.md", story("The same cartoon"))
    desk.look()
    (desk.folder / "old").rename(desk.folder / "new")
    sightings, look = desk.look()
    assert [(each.key, each.renamed_from) for each in sightings] == [
        ("new/a.md", "old/a.md"),
        ("new/b.md", "old/b.md"),
        ("new/c.md", "old/c.md"),
    ]
    assert look.gone == []


def test_a_deleted_or_emptied_file_is_told(desk: Newsdesk) -> None:
    desk.put("a.md", story("A"))
    desk.put("b.md", story("B", "Words of the second story."))
    desk.look()
    (desk.folder / "a.md").unlink()
    desk.put("b.md", "")
    sightings, look = desk.look()
    assert (sightings, look.gone) == ([], ["a.md", "b.md"])


def test_nothing_is_called_gone_while_a_new_file_may_be_its_new_name(desk: Newsdesk) -> None:
    desk.put("a.md", story("Night ferry"))
    desk.look()
    (desk.folder / "a.md").unlink()
    desk.put("b.md", story("Night ferry"), age=0.5)
    sightings, look = desk.look()
    assert (sightings, look.waiting, look.gone) == ([], ["b.md"], [])
    [sighting], look = desk.look(NOW + timedelta(seconds=1))
    assert (sighting.renamed_from, look.gone) == ("a.md", [])


def test_a_broken_file_is_named_with_the_cure_once_and_the_rest_goes_on(desk: Newsdesk) -> None:
    desk.put("a.md", b"# Caf\xe9\n\nText")
    desk.put("b.md", STORY)
    sightings, _ = desk.look()
    assert [(each.key, bool(each.draft)) for each in sightings] == [("a.md", False), ("b.md", True)]
    assert sightings[0].problem == "it is not UTF-8 (byte 0xE9 in line 1). Save it as UTF-8."
    assert desk.keys() == []
    desk.put("a.md", "# Café\n\nText")
    [sighting] = desk.look()[0]
    assert sighting.draft is not None and sighting.draft.content.title == "Café"


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is unreadable to root")
def test_an_unreadable_file_is_told_once_and_read_when_it_may_be(desk: Newsdesk) -> None:
    path = desk.put("a.md", STORY)
    path.chmod(0)
    [sighting] = desk.look()[0]
    assert sighting.problem == "it cannot be read (Permission denied). Make it readable."
    assert desk.keys() == []
    path.chmod(0o644)
    assert desk.look()[0][0].draft is not None


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is unreadable to root")
def test_what_is_in_an_unreadable_subfolder_is_not_called_gone(desk: Newsdesk) -> None:
    desk.put("shut/a.md", STORY)
    desk.look()
    (desk.folder / "shut").chmod(0)
    try:
        [sighting], look = desk.look()
        assert (sighting.key, look.gone) == ("shut/", [])
    finally:
        (desk.folder / "shut").chmod(0o755)


def test_a_file_beyond_the_limit_is_not_read(desk: Newsdesk) -> None:
    desk.put("huge.md", b"x" * 10_000_000)
    [sighting] = desk.look()[0]
    assert sighting.problem == "it has 10.0 MB and may have 5 MB. Split it, or take pictures out of the text."


def test_a_folder_that_is_not_there_is_an_error_with_the_cure(desk: Newsdesk) -> None:
    desk.folder.rmdir()
    with pytest.raises(BadInput, match=r"articles cannot be read \(No such file or directory\)\. .*syndicate\.toml"):
        desk.look()


@pytest.mark.parametrize(
    "key", ["", "x.md", "../outside.md", "/etc/passwd", "a/../a.md", "./a.md", "a.md\x00", "a//a.md"]
)
def test_reading_again_never_leaves_the_folder(desk: Newsdesk, tmp_path: Path, key: str) -> None:
    (tmp_path / "outside.md").write_text(STORY)
    desk.put("a.md", STORY)
    with pytest.raises(NotFound):
        desk.source.read(key)


def test_reading_again_names_the_file_and_brings_back_what_was_left_out(desk: Newsdesk) -> None:
    desk.put("bad.md", "No title.")
    with pytest.raises(BadInput, match=r"^bad\.md: it has no title\. Add `title:`"):
        desk.source.read("bad.md")
    desk.put("page.txt", f"Night ferry returns\n\nShare\n\n{LONG}\n\nNEXT Bus fares\n")
    read = desk.source.read("page.txt")
    assert read.content.left_out == ("Share", "NEXT Bus fares")
    whole = desk.source.read("page.txt", whole=True).content
    assert whole.left_out == () and "Share" in whole.html and "NEXT Bus fares" in whole.html
    assert whole.title == read.content.title and whole == read.full


def test_the_first_subfolder_is_the_section_unless_said(desk: Newsdesk) -> None:
    desk.settings = {
        "defaults": {"section": "world", "authors": ["Harbour desk"], "tags": ["sea"], "language": "pt_br"}
    }
    desk.put("a.md", story("A"))
    desk.put("business/2026/b.md", story("B"))
    desk.put("business/c.md", story("C", section="Law", authors="[Court desk]", language="fr"))
    drafts = [each.draft.content for each in desk.look()[0] if each.draft]
    assert [each.section for each in drafts] == ["world", "business", "Law"]
    assert [each.authors for each in drafts] == [("Harbour desk",), ("Harbour desk",), ("Court desk",)]
    assert [each.language for each in drafts] == ["pt-BR", "pt-BR", "fr"]
    assert drafts[0].tags == ("sea",)


def test_options_reach_the_reading(desk: Newsdesk) -> None:
    desk.settings = {
        "options": {"timezone": "America/New_York", "base_url": "https://post.example", "language": "fr"},
        "rights": "theirs",
    }
    desk.put("a.md", story("A", "See [this](/map).", date="2026-07-01 08:00"))
    [sighting] = desk.look()[0]
    assert sighting.draft is not None
    content = sighting.draft.content
    assert content.date == datetime(2026, 7, 1, 12, tzinfo=UTC)
    assert 'href="https://post.example/map"' in content.html
    assert (content.language, content.rights) == ("fr", "theirs")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"options": {"timezone": "Europe/Lisboa"}}, "sources.desk.options.timezone: 'Europe/Lisboa' is no time zone"),
        ({"options": {"timezone": "../../etc/passwd"}}, "is no time zone"),
        ({"options": {"timzone": "UTC"}}, "Did you mean 'timezone'?"),
        ({"defaults": {"sektion": "world"}}, "Did you mean 'section'?"),
        ({"defaults": {"language": "english language"}}, "should be a language tag"),
    ],
)
def test_settings_that_cannot_be_used_are_named(desk: Newsdesk, settings: dict[str, object], message: str) -> None:
    desk.settings = settings
    with pytest.raises(SettingsError) as error:
        desk.look()
    assert message in str(error.value)

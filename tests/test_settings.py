"""What `syndicate.toml` may say, and that every mistake is named at once, with its line and the cure."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from syndicate.errors import SettingsError
from syndicate.services.write_site import NEW_SETTINGS
from syndicate.settings import Settings, read_settings

WHOLE = """\
[site]
title = "The Harbour Post"
url = "https://post.example/"
timezone = "Europe/Lisbon"
[web]
url = "https://news.post.example"
[mail]
from = "The Harbour Post <news@post.example>"
legal_name = "Harbour Post Ltd"
postal_address = "1 Quay Street, Lisbon"
privacy_url = "https://post.example/privacy"
[[sources]]
name = "desk"
path = "articles"
defaults = { section = "world" }
[[feeds]]
name = "world"
where = { section = "world" }
[[newsletters]]
name = "morning"
cadences = { daily = "mon-fri 07:00", weekly = "sat 09:00" }
"""


def read(folder: Path, text: str = WHOLE, environ: Mapping[str, str] | None = None) -> Settings:
    (folder / "syndicate.toml").write_text(text, encoding="utf-8")
    return read_settings(folder, environ or {}, kinds=("folder",), apis=("sandbox", "mailpit", "resend"))


def mistakes(folder: Path, text: str, environ: Mapping[str, str] | None = None) -> tuple[str, ...]:
    with pytest.raises(SettingsError) as caught:
        read(folder, text, environ)
    assert caught.value.exit_status == 2
    return caught.value.mistakes or (str(caught.value),)


def test_what_is_not_said_has_a_good_value(tmp_path: Path) -> None:
    settings = read(tmp_path)
    assert settings.publication.url == "https://post.example"
    assert settings.mail.api == "sandbox"
    assert settings.database_url == f"sqlite:///{tmp_path / 'syndicate.db'}"
    assert settings.feeds_folder == tmp_path / "feeds"
    site_feed, world = settings.feeds
    assert (site_feed.name, site_feed.title, site_feed.limit) == ("", "The Harbour Post", 50)
    assert (world.title, world.language) == ("The Harbour Post: World", "en")
    (morning,) = settings.newsletters
    assert (morning.title, morning.timezone, morning.draft_at_minutes) == ("Morning", "Europe/Lisbon", 60)
    assert list(morning.cadences) == ["daily", "weekly"]


def test_the_settings_of_a_new_site_are_right(tmp_path: Path) -> None:
    settings = read(tmp_path, NEW_SETTINGS)
    assert [each.name for each in settings.feeds] == [""]
    assert [each.path for each in settings.sources] == ["articles"]
    (newsletter,) = settings.newsletters
    assert newsletter.selection.where == {}


def test_every_mistake_is_named_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    found = mistakes(
        tmp_path,
        """\
[site]
title = ""
langauge = "en"
url = "https://post.example"
timezone = "Europe/Lisbn"
[web]
url = "ftp://post.example"
[mail]
api = "mailgun"
from = "news at post.example"
legal_name = "Harbour\\nPost"
postal_address = "1 Quay Street"
privacy_url = "https://post.example/privacy"
test_to = ["desk@post.example", "desk"]
[[sources]]
name = "desk"
kind = "fodler"
[[feeds]]
name = "archive"
where = { section = "world", not = { sektion = "x" } }
limit = 0
[[newsletters]]
name = "morning"
cadences = { daily = "mon-fry 07:00", weekly = "sat 9am" }
draft_at = "60m"
min_articles = 20
[[newsletters]]
name = "morning"
approval = "nobody"
[kepe]
""",
    )
    expected = [
        ("syndicate.toml:2: [site] title:", "empty"),
        ("syndicate.toml:3: [site] langauge:", "did you mean 'language'?"),
        ("syndicate.toml:5: [site] timezone:", "did you mean 'Europe/Lisbon'?"),
        ("syndicate.toml:7: [web] url:", "web address"),
        ("syndicate.toml:9: [mail] api:", "is no mail API"),
        ("syndicate.toml:10: [mail] from:", "such as"),
        ("syndicate.toml:11: [mail] legal_name:", "line break"),
        ("syndicate.toml:14: [mail] test_to[1]:", "'desk'"),
        ("syndicate.toml:17: [[sources]] desk: kind:", "did you mean 'folder'?"),
        ("syndicate.toml:19: [[feeds]] name:", "taken"),
        ("syndicate.toml:20: [[feeds]] archive: where.not.sektion:", "did you mean 'section'"),
        ("syndicate.toml:21: [[feeds]] archive: limit:", "found 0"),
        ("syndicate.toml:24: [[newsletters]] morning: cadences.daily:", "'fry' is not a day"),
        ("syndicate.toml:24: [[newsletters]] morning: cadences.weekly:", "'9am'"),
        ("syndicate.toml:25: [[newsletters]] morning: draft_at:", "-60m"),
        ("syndicate.toml:26: [[newsletters]] morning: min_articles:", "max_articles"),
        ("syndicate.toml:28: [[newsletters]] name:", "line 23"),
        ("syndicate.toml:29: [[newsletters]] morning: approval:", "automatic"),
        ("syndicate.toml:30: [kepe]:", "did you mean 'keep'?"),
    ]
    assert len(found) == len(expected), "\n".join(found)
    for sentence, (place, cure) in zip(found, expected, strict=True):
        assert sentence.startswith(place)
        assert cure in sentence


@pytest.mark.parametrize("section", ["site", "web", "mail"])
def test_a_table_that_must_be_there_is_missed(tmp_path: Path, section: str) -> None:
    text = WHOLE.replace(f"[{section}]", "[keep]").replace('title = "The Harbour Post"\n', "")
    assert any(f"[{section}]: is missing" in sentence for sentence in mistakes(tmp_path, text))


def test_broken_toml_is_one_error_that_names_the_line(tmp_path: Path) -> None:
    (sentence,) = mistakes(tmp_path, "[site]\ntitle = The Harbour Post\n")
    assert "line 2" in sentence


@pytest.mark.parametrize("raw", [b"\xff\xfe[site]", b'[site]\ntitle = "caf\xe9"\n'])
def test_a_file_that_is_not_utf8_is_one_error(tmp_path: Path, raw: bytes) -> None:
    (tmp_path / "syndicate.toml").write_bytes(raw)
    with pytest.raises(SettingsError, match="UTF-8"):
        read_settings(tmp_path, {}, kinds=("folder",), apis=("sandbox",))


def test_a_folder_without_settings_says_how_to_make_them(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="syndicate init"):
        read_settings(tmp_path, {}, kinds=("folder",), apis=("sandbox",))


@pytest.mark.parametrize(
    "value", ["5", "[1, 2]", '"x"', "{ name = 5 }", "[{ name = [] }]", "[[]]", "true", "1979-05-27", "nan"]
)
@pytest.mark.parametrize("section", ["sources", "feeds", "newsletters", "mail", "keep"])
def test_a_value_of_the_wrong_kind_is_a_mistake_and_never_a_crash(tmp_path: Path, section: str, value: str) -> None:
    start = WHOLE.partition(f"[{section}]" if f"[{section}]\n" in WHOLE else f"[[{section}]]")[0]
    assert mistakes(tmp_path, f"{section} = {value}\n" + start)


# --- the environment --------------------------------------------------------------------------------------------


def test_the_environment_stands_before_the_file(tmp_path: Path) -> None:
    settings = read(
        tmp_path,
        environ={
            "SYNDICATE_SITE__TITLE": "Another Post",
            "SYNDICATE_MAIL__TEST_TO": "a@post.example, b@post.example",
            "SYNDICATE_MAIL__DEADLINE_SECONDS": "12",
            "SYNDICATE_KEEP__EVENTS_DAYS": "30",
            "SYNDICATE_HOME": "not ours",
        },
    )
    assert settings.publication.title == "Another Post"
    assert settings.sender.test_to == ("a@post.example", "b@post.example")
    assert settings.mail.deadline_seconds == 12
    assert settings.keep.events_days == 30


def test_a_secret_comes_from_a_file_that_the_environment_names(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("hush-hush\n")
    settings = read(tmp_path, environ={"SYNDICATE_MAIL__API_KEY_FILE": str(tmp_path / "key")})
    assert settings.mail.api_key == "hush-hush"


def test_mistakes_in_the_environment_are_named_by_the_variable(tmp_path: Path) -> None:
    found = mistakes(
        tmp_path,
        WHOLE,
        {
            "SYNDICATE_MAIL__APY_KEY": "x",
            "SYNDICATE_SITE__LANGUAGE": "english please",
            "SYNDICATE_MIAL__FROM": "x",
            "SYNDICATE_DATABASE__URL_FILE": str(tmp_path / "absent"),
        },
    )
    assert {sentence.partition(":")[0] for sentence in found} == {
        "SYNDICATE_MAIL__APY_KEY",
        "SYNDICATE_SITE__LANGUAGE",
        "SYNDICATE_MIAL__FROM",
        "SYNDICATE_DATABASE__URL_FILE",
    }


def test_a_secret_shows_nowhere(tmp_path: Path) -> None:
    settings = read(
        tmp_path,
        WHOLE + '[database]\nurl = "postgresql://ann:hush-hush@localhost/post"\n',
        {"SYNDICATE_MAIL__API_KEY": "hush-hush"},
    )
    assert "hush-hush" not in repr(settings)
    assert settings.mail.api_key == "hush-hush"
    found = mistakes(tmp_path, WHOLE + '[database]\nurl = "mysql://ann:hush-hush@localhost/post"\n')
    assert "hush-hush" not in " ".join(found)


def test_a_secret_in_the_file_is_refused_without_repeating_it(tmp_path: Path) -> None:
    (sentence,) = mistakes(tmp_path, WHOLE.replace("[mail]\n", '[mail]\napi_key = "hush-hush"\n'))
    assert "SYNDICATE_MAIL__API_KEY" in sentence
    assert "hush-hush" not in sentence


def test_a_proxy_with_a_password_comes_from_the_environment_and_shows_nowhere(tmp_path: Path) -> None:
    settings = read(tmp_path, WHOLE, {"SYNDICATE_MAIL__PROXY": "http://ann:hush-hush@proxy.example:3128"})
    assert settings.mail.proxy == "http://ann:hush-hush@proxy.example:3128"
    assert "hush-hush" not in repr(settings)
    for proxy in ("http://ann:hush-hush@proxy.example", "https://ann:hush-hush@proxy.example"):
        (sentence,) = mistakes(tmp_path, WHOLE.replace("[mail]\n", f'[mail]\nproxy = "{proxy}"\n'))
        assert "SYNDICATE_MAIL__PROXY" in sentence and "hush-hush" not in sentence


@pytest.mark.parametrize("proxy", ["socks5://proxy", "proxy:3128", "http://", "http://proxy/hush-hush", "http://a b"])
def test_a_proxy_is_an_http_address(tmp_path: Path, proxy: str) -> None:
    (sentence,) = mistakes(tmp_path, WHOLE.replace("[mail]\n", f'[mail]\nproxy = "{proxy}"\n'))
    assert "[mail] proxy" in sentence and "http://proxy.post.example:3128" in sentence and "hush" not in sentence


def test_certificates_are_a_file_beside_the_settings(tmp_path: Path) -> None:
    text = WHOLE.replace("[mail]\n", '[mail]\ncertificates = "own.pem"\n')
    (sentence,) = mistakes(tmp_path, text)
    assert "[mail] certificates" in sentence and "own.pem" in sentence
    (tmp_path / "own.pem").write_text("")
    assert read(tmp_path, text).mail.certificates == str(tmp_path / "own.pem")


# --- definitions ------------------------------------------------------------------------------------------------


def test_a_retired_definition_is_gone_but_known(tmp_path: Path) -> None:
    settings = read(tmp_path, WHOLE.replace('name = "world"\n', 'name = "world"\nretired = true\n'))
    assert [each.name for each in settings.feeds] == [""]
    assert settings.retired["feeds"] == {"world"}


def test_a_renamed_definition_says_what_it_was(tmp_path: Path) -> None:
    settings = read(tmp_path, WHOLE.replace('name = "morning"', 'name = "dawn"\nwas = "morning"'))
    assert settings.renamed["newsletters"] == {"dawn": "morning"}


def test_no_other_definition_may_have_the_old_name(tmp_path: Path) -> None:
    text = WHOLE + '[[newsletters]]\nname = "dawn"\nwas = "morning"\n'
    (sentence,) = mistakes(tmp_path, text)
    assert "two newsletters are called 'morning'" in sentence


@pytest.mark.parametrize("name", ["Morning", "a b", "-a", "a--b", "a_b", "é", "", "a/b", "..", "a" * 81])
def test_names_are_fit_for_addresses_and_folders(tmp_path: Path, name: str) -> None:
    assert mistakes(tmp_path, WHOLE.replace('name = "world"', f'name = "{name}"'))


@pytest.mark.parametrize(
    "url",
    [
        "post.example",
        "http://",
        "https://user:pw@post.example",
        "https://post.example/?a=b",
        "https://post.example/#x",
        "javascript:alert(1)",
        "https://post.example:99999",
        "https://a b.example",
        "//post.example",
    ],
)
def test_web_addresses_are_whole_and_clean(tmp_path: Path, url: str) -> None:
    assert mistakes(tmp_path, WHOLE.replace("https://news.post.example", url))


FEED = '[[sources]]\nname = "wire"\nkind = "feed"\nurl = "https://wire.example/feed.xml?a=1"\nevery = "15m"\n'


def with_feed(folder: Path, text: str) -> Settings:
    (folder / "syndicate.toml").write_text(WHOLE + text, encoding="utf-8")
    return read_settings(folder, {}, kinds=("folder", "feed", "push"), apis=("sandbox",))


def test_a_feed_of_others_is_named_by_its_address(tmp_path: Path) -> None:
    _, wire = with_feed(tmp_path, FEED).sources
    assert (wire.url, wire.every, wire.allow_private) == ("https://wire.example/feed.xml?a=1", 900, False)
    assert wire.rights is None  # each kind has its own


@pytest.mark.parametrize(
    ("old", "new", "place", "cure"),
    [
        ('url = "https://wire.example/feed.xml?a=1"', "", "wire: url:", "expected the address of a feed"),
        ("https://wire", "file://wire", "wire: url:", "the address of a feed such as"),
        ("https://wire", "https://user:word@wire", "wire: url:", "user name or a password"),
        ("15m", "1s", "wire: every:", "from 10 seconds to 7 days"),
        ('every = "15m"', "every = 15", "wire: every:", "such as"),
        ('every = "15m"', 'path = "wire"', "wire: path:", "is for a folder"),
        ('every = "15m"', 'allow_private = "perhaps"', "wire: allow_private:", "true or false"),
        ('kind = "feed"', 'path = "wire"', "wire: url:", 'kind = "feed"'),
    ],
)
def test_a_mistake_in_a_feed_is_named(tmp_path: Path, old: str, new: str, place: str, cure: str) -> None:
    with pytest.raises(SettingsError) as caught:
        with_feed(tmp_path, FEED.replace(old, new))
    [sentence] = caught.value.mistakes
    assert f"[[sources]] {place}" in sentence
    assert cure in sentence


def test_a_source_says_how_quiet_and_how_loud_it_may_be(tmp_path: Path) -> None:
    text = 'quiet_after = "3d"\ntripwire = { at_least = 50, old = 0 }\n'
    [wire] = [each for each in with_feed(tmp_path, FEED + text).sources if each.name == "wire"]
    assert wire.quiet_after == 3 * 86_400
    assert (wire.tripwire.at_least, wire.tripwire.times, wire.tripwire.old) == (50, 5, 0)
    for wrong, said in (
        ('quiet_after = "3"', "from an hour"),
        ("tripwire = 5", "a table"),
        ("tripwire = { old = -1 }", "old"),
    ):
        with pytest.raises(SettingsError) as raised:
            with_feed(tmp_path, FEED + wrong + "\n")
        assert said in str(raised.value)


def test_a_push_source_has_neither_path_nor_address(tmp_path: Path) -> None:
    push = '[[sources]]\nname = "cms"\nkind = "push"\n'
    assert [each.kind for each in with_feed(tmp_path, push).sources][-1] == "push"
    for wrong in ('path = "x"', 'url = "https://a.example/"', "allow_private = true"):
        with pytest.raises(SettingsError) as raised:
            with_feed(tmp_path, push + wrong + "\n")
        assert wrong.split()[0] in str(raised.value)


LIMITED = WHOLE.replace(
    "[[sources]]",
    """\
[mail.limits]
requests = "5/s"
recipients = ["14/s", "50_000/day"]
domains = { "Gmail.com" = "2000/h" }
warm_up = { since = 2027-01-15, days = [200, 500] }
[[sources]]""",
)


def test_limits_first_waves_and_quiet_hours(tmp_path: Path) -> None:
    text = LIMITED + 'quiet = "22:00-07:00"\nfirst_wave = "1%"\nlook = "10m"\nstop_at = { complained = "0.1%" }\n'
    settings = read(tmp_path, text)
    limits = settings.mail.limits
    assert [str(each) for each in (*limits.requests, *limits.recipients)] == ["5/s", "14/s", "50,000/day"]
    assert {name: str(each) for name, each in limits.domains.items()} == {"gmail.com": "2,000/hour"}
    assert limits.warm_up is not None
    assert (limits.warm_up.since.isoformat(), limits.warm_up.days) == ("2027-01-15", (200, 500))
    (morning,) = settings.newsletters
    assert morning.first_wave is not None
    assert (morning.first_wave.share, morning.first_wave.look.total_seconds()) == (0.01, 600)
    assert str(morning.quiet) == "22:00-07:00"
    assert (morning.stop_at.refused, morning.stop_at.bounced, morning.stop_at.complained) == (0.1, 0.05, 0.001)


def test_mistakes_in_limits_are_named_at_their_place(tmp_path: Path) -> None:
    text = LIMITED.replace('"5/s"', '"quick"').replace('"Gmail.com"', '"gm ail"').replace("[200, 500]", "[]")
    found = mistakes(tmp_path, text + 'quiet = "at night"\nfirst_wave = "0%"\nstop_at = { complained = 3 }\n')
    assert len(found) == 6
    for place, expected in (
        ("requests", '"5/s"'),
        ("domains", "gmail.com"),
        ("days", "[200, 500, 1000, 2000]"),
        ("quiet", '"22:00-07:00"'),
        ("first_wave", '"1%"'),
        ("complained", '"0.3%"'),
    ):
        assert any(place in each and expected in each for each in found), (place, found)


@pytest.mark.parametrize("url", ["smtps://mail.post.example", "smtp://127.0.0.1:25", "https://api.post.example"])
def test_a_mail_api_may_be_reached_by_smtp(tmp_path: Path, url: str) -> None:
    assert read(tmp_path, WHOLE.replace("[mail]", f'[mail]\nurl = "{url}/"')).mail.url == url


@pytest.mark.parametrize("url", ["smtps://", "smtp:mail", "smtps://a b", "smtp://mail.post.example/?x", "imap://mail"])
def test_what_is_no_address_of_one_is_said_with_its_place(tmp_path: Path, url: str) -> None:
    (mistake,) = mistakes(tmp_path, WHOLE.replace("[mail]", f'[mail]\nurl = "{url}"'))
    assert "[mail] url" in mistake

"""Test the values that the cache aligner moves and keeps."""

from __future__ import annotations

import re
import string
import time
import uuid
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from headroom_core import CacheAligner, CacheAlignerConfig, ConfigurationError, Transform
from headroom_core.dialects import dialect_for
from headroom_core.messages import Change
from headroom_core.transforms.cache_aligner.volatile import volatile_parts

SEPARATOR = "\n\n[Current values]\n"
RULES = (
    "You are a travel agent. Answer briefly, name your sources, and ask when a wish is not plain. "
)
KEEP_WHITESPACE = {
    "normalize_whitespace": False,
    "collapse_blank_lines": False,
    "stable_prefix_min_tokens": 0,
}
ENTRY = re.compile(
    r"^((?:(?:date and time|date|time|id|value)(?: \d+)?(?:, )?)+): "
    r"(.*?)(?=\n(?:date|time|id|value)\b[^\n:]*: |\Z)",
    re.MULTILINE | re.DOTALL,
)


def config(**settings: Any) -> CacheAlignerConfig:
    return CacheAlignerConfig(**{"stable_prefix_min_tokens": 0, **settings})


def system(content: Any, **fields: Any) -> dict[str, Any]:
    return {"role": "system", "content": content, **fields}


def align_text(text: str, **settings: Any) -> str:
    return str(CacheAligner(config(**settings)).align([system(text)]).messages[0]["content"])


def moved_values(text: str, **settings: Any) -> tuple[str, ...]:
    return CacheAligner(config(**settings)).align([system(f"{text} -- {RULES}")]).moved


def restore_values(text: str) -> str:
    """Return an aligned text with its values instead of the placeholders."""
    body, found, tail = text.rpartition(SEPARATOR)
    values = {name: match[2] for match in ENTRY.finditer(tail) for name in match[1].split(", ")}
    return (
        re.sub(r"\[([^][]+): see end\]", lambda match: values.get(match[1], match[0]), body)
        if found
        else text
    )


NOW = (
    "2026-11-21 2026/11/21 21/11/2026 11/21/2026 11/21/26 21.11.2026 21-11-2026 21-Nov-2026 "
    "2026年11月21日"
).split()
VOLATILE_VALUES = [
    *NOW,
    *"10:32:05 20261121T103205Z 2026-11-21T10:32:05Z 2026-11-21T10:32:05.123456+02:00".split(),
    "2026-11-21 10:00",
    "2026-11-21 10:00:00,123 UTC",
    "2024-05-15 15:00:00 EST",
    "21 November 2026",
    "21st of November 2026",
    "November 21, 2026",
    "Nov 21, 2026",
    "Saturday, November 21, 2026",
    "Saturday, 21 November 2026 at 10:32 AM Eastern Standard Time",
    "Saturday, November 21",
    "Sat Nov 21 10:32:05 2026",
    "Sat Nov  1 10:32:05 UTC 2026",
    "Sat, 21 Nov 2026 10:32:05 +0000",
    "Sat Nov 21 2026 10:32:05 GMT+0000 (Coordinated Universal Time)",
    "11/21/2026, 10:32:05\u202fAM",
    "2026-11-21 (Saturday)",
    "15:00 on 2026-11-21",
    "10:32 AM",
    "3:04 p.m. PST",
    "10:32 UTC",
    "123e4567-e89b-12d3-a456-426614174000",
    "01ARZ3NDEKTSV4RRFFQ69G5FAV",
    "3f2a9b7c1d4e5f60",
    "V1StGXR8_Z5jdHi6B-myT",
    "chatcmpl-9xY7kLmN2pQrS8tUvW3xYz",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U",
]
LABELLED = [
    ("session_id: ", "abc123"),
    ("Request ID = ", "r-4711"),
    ("**Session ID:** ", "abc-123"),
    ('{"traceId": "', "t_93"),
    ("<run_id>", "run-17"),
    ("Unix timestamp: ", "1763721125"),
    ("epoch ", "1763721125123"),
    ("The time is ", "10:32"),
    ("date=", "2026-11-21"),
    ("urn:uuid:", "123e4567-e89b-12d3-a456-426614174000"),
]
STABLE_TEXTS = [
    "v2.1.0 claude-sonnet-4-5-20250929 gpt-4o-2024-08-06 meta-llama-3-1-70b-instruct "
    "Qwen2VLForConditionalGeneration",
    "report-2026-11-21.pdf 2026-11-21.log 3f2a9b7c1d4e5f60.png backup/2026/11/21/all "
    "C:\\logs\\2026-11-21\\a",
    "https://x.example/2026-11-21 https://x.example/?d=2026-11-21&z=1 https://x.example/(2026-11-21)",
    "bob.2026-11-21@x.example, www.x.example,2026-11-21",
    "anthropic-version: 2023-06-01, api-version=2024-06-01, version 2024-06-01",
    "`date 2026-11-21` and ``2026-11-21``",
    "```\n2026-11-21\n```\n~~~~ log\n2026-11-21\n~~~\n2026-11-22\n~~~~",
    "\n```\nnever closed 2026-11-21",
    "Friday, today, May I? You may 4 times. Open 9:00 to 17:00, 24/7. 2026. "
    "1234567890123456. $1,234.56",
    "Each user has a user id, an email and a session_id: string. "
    "HTTP2ServerConnection payment_method_1234567",
    "The session id is cryptographically drawn, the user id is case-insensitive. "
    "session_id: ---------------- end",
    "00:1A:2B:3C:4D:5E 12:34:56:78:9A:BC 192.168.10.2024",
]


@pytest.mark.parametrize("value", VOLATILE_VALUES)
@pytest.mark.parametrize(
    "around", ["{}", "Today is {}.", "({})", '"{}"', "now: {},", "**{}**", "<at>{}</at>"]
)
def test_dates_times_and_ids_move(value: str, around: str) -> None:
    assert moved_values(around.format(value), normalize_whitespace=False) == (value,)


@pytest.mark.parametrize(("label", "value"), LABELLED)
def test_labelled_ids_and_times_move(label: str, value: str) -> None:
    assert moved_values(label + value) == (value,)


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("Time: 1705312200", "1705312200"),
        ("Current time (UTC): 1705312200123", "1705312200123"),
        ("**Started at:** 1705312200.5", "1705312200.5"),
        ("generated = 1763721125", "1763721125"),
        ("Session: sess_abc123xyz789", "sess_abc123xyz789"),
        ("Run: 4f9c2d71b8", "4f9c2d71b8"),
        ("trace=req-9f8e7d6c5b", "req-9f8e7d6c5b"),
    ],
)
def test_opaque_values_move_behind_the_label_of_a_line(line: str, value: str) -> None:
    assert moved_values(line) == (value,)


@pytest.mark.parametrize(
    "line",
    [
        "Session: morning-shift",
        "Run: llama-3-70b-instruct",
        "Message: hello-world-2025",
        "Time: 15 minutes",
        "Time: 9000000000",
        "Budget: 1705312200",
        "User: anna",
        "Obsession: sess_abc123xyz789",
    ],
)
def test_names_and_amounts_stay_behind_the_label_of_a_line(line: str) -> None:
    assert moved_values(line) == ()


FORMATS = (
    "%-m/%-d/%y|%-d/%-m/%y|%m/%d/%y|%d/%m/%y|%y/%m/%d|%-m/%-d/%y, %-I:%M %p|%-m/%-d/%y %H:%M"
    "|%-m/%-d/%Y|%-d.%-m.%Y|%-d-%-m-%Y|%Y-%-m-%-d|%Y/%-m/%-d|%d %b %y|%-d %b %y|%-d-%b-%y"
    "|%d %b '%y|%-d %B %y|%b %d, '%y|%B %-d, %y|%b %d %y|%a %d %b %y|%A, %d %b %y"
    "|%d %b %y %H:%M:%S UTC|%d %b %y at %I:%M %p|%Y %b %d|%Y, %B %d|%Y-%b-%d|%Y-%m-%d|%d.%m.%Y"
    "|%d %b %Y|%B %-d, %Y|%B %-d|%-d %b|%A, %B %d, %Y|%A the %-dth of %B|%A, %b %d at %-I:%M %p"
    "|%c|%x %X|%F %T|%Y-%m-%dT%H:%M:%SZ|%d-%b-%Y %H:%M|%b %d %I:%M %p|%-d %B, %-I %p"
    "|%Y年%-m月%-d日|%-m/%-d/%Y, %-I:%M:%S %p|%I:%M %p"
).split("|")


@pytest.mark.parametrize("spelling", FORMATS)
def test_a_date_format_moves_whole_on_every_day(spelling: str) -> None:
    first = datetime(2024, 1, 1, tzinfo=UTC)
    for day in range(0, 3 * 366, 3):
        value = (first + timedelta(days=day, minutes=61 * day)).strftime(spelling)
        for around in ("Today is {}. Be brief.", "Now ({}), be brief", "Date: {}\nBe brief"):
            text = around.format(value)
            # A dot after an abbreviated month moves too.
            assert [text[part.start : part.end].rstrip(".") for part in volatile_parts(text)] == [
                value
            ]


@pytest.mark.parametrize(
    "text",
    ["21 Nov 10:32", "Nov 21 25%", "Nov 21 25,000 guests", "21 November 1850", "Nov 21 10 AM"],
)
def test_a_number_after_a_day_is_not_always_a_year(text: str) -> None:
    assert text[: volatile_parts(text)[0].end] in (
        "21 Nov 10:32",
        "Nov 21",
        "21 November",
        "Nov 21 10 AM",
    )


@pytest.mark.parametrize(
    "label", ["session_id: ", "**Request ID:** ", '{"traceId": "', "run_id=", "The session id is "]
)
def test_a_labelled_id_moves_whatever_its_letters(label: str) -> None:
    random, alphabet = Random(7), f"{string.ascii_letters}{string.digits}_-"
    tokens = ["".join(random.choices(alphabet, k=21)) for _ in range(2000)]
    tokens += [first + token[1:] for first in "-_" for token in tokens[:50]]
    tokens += ["".join(random.choices(string.ascii_letters, k=16)) for _ in range(50)]
    for token in tokens:
        text = f'{label}{token}" be brief'
        assert [text[part.start : part.end] for part in volatile_parts(text)] == [token]


@pytest.mark.parametrize("text", STABLE_TEXTS)
def test_versions_names_paths_addresses_code_and_numbers_stay(text: str) -> None:
    before = f"{RULES.strip()}\n{text}"
    assert align_text(before) == before


def test_the_tail_names_each_value_like_its_placeholder() -> None:
    text = (
        "Today is 2026-11-21. It is 10:32 AM. Report of 2026-11-20 for request_id: r-1, "
        "of 2026-11-21 too. Be brief."
    )
    assert align_text(text) == (
        "Today is [date: see end]. It is [time: see end]. Report of [date 2: see end] "
        "for request_id: [id: see end], "
        "of [date 3: see end] too. Be brief.\n\n[Current values]\n"
        "date, date 3: 2026-11-21\ntime: 10:32 AM\ndate 2: 2026-11-20\nid: r-1"
    )


def test_equal_values_do_not_change_the_placeholders() -> None:
    first, second = (
        align_text(f"From {a} to {b}. {RULES}")
        for a, b in [("2026-11-21", "2026-11-21"), ("2026-11-21", "2026-11-22")]
    )
    assert first.split(SEPARATOR)[0] == second.split(SEPARATOR)[0]


def test_a_prompt_that_mentions_placeholders_stays_unambiguous() -> None:
    text = f"Write [date: see end] for dates. Today is 2026-11-21. {RULES}"
    assert "Today is [date 2: see end]." in align_text(text)
    assert restore_values(align_text(text, **KEEP_WHITESPACE)) == text


@pytest.mark.parametrize(
    "end", ["Today is 2026-11-21.", "**2026-11-21**, 10:32:05\n", "2026-11-21"]
)
def test_values_at_the_very_end_stay(end: str) -> None:
    assert align_text(RULES + end) == RULES + end


def test_short_system_prompts_are_left_unchanged() -> None:
    text = "Today is 2026-11-21.   Be brief."
    messages = [system(text)]
    result = CacheAligner().align(messages)
    assert result.messages[0] is messages[0]
    assert (
        result.changes[0].reason == "its steady part has fewer tokens than stable_prefix_min_tokens"
    )
    assert CacheAligner().align([system(text + RULES * 8)]).moved == ("2026-11-21",)


def test_other_messages_are_the_same_objects() -> None:
    others = [
        {"role": role, "content": "It is 2026-11-21.  Really."} for role in ("user", "assistant")
    ]
    result = CacheAligner(config()).align(
        [system(f"It is 2026-11-21. {RULES}"), *others, system(RULES.strip())]
    )
    assert all(after is before for after, before in zip(result.messages[1:3], others))
    assert [(change.message, change.action) for change in result.changes] == [
        (0, "moved"),
        (3, "kept"),
    ]


def test_every_system_message_has_its_own_tail() -> None:
    both = [system(f"It is {index}. {RULES}") for index in ("2026-11-21", "10:32 AM")]
    first, second = (message["content"] for message in CacheAligner(config()).align(both).messages)
    assert first.endswith(f"{SEPARATOR}date: 2026-11-21")
    assert second.endswith(f"{SEPARATOR}time: 10:32 AM")


def parts(*texts: str, marked: tuple[int, ...] = ()) -> list[dict[str, Any]]:
    mark = {"cache_control": {"type": "ephemeral"}}
    return [
        {"type": "text", "text": text, **(mark if index in marked else {})}
        for index, text in enumerate(texts)
    ]


def test_the_tail_of_a_multipart_message_follows_its_last_text() -> None:
    content = parts(f"It is 2026-11-21. {RULES.strip()}", "Be kind.", "Be brief.")
    result = CacheAligner(config()).align([system(content)])
    after = result.messages[0]["content"]
    assert after[0]["text"].startswith("It is [date: see end].")
    assert after[1] is content[1]
    assert after[2]["text"] == f"Be brief.{SEPARATOR}date: 2026-11-21"
    assert [change.action for change in result.changes] == ["moved", "kept", "moved"]


def test_parts_at_or_before_a_cache_control_stay() -> None:
    dated = f"It  is 2026-11-21. {RULES.strip()}"
    content = parts(dated, dated, dated, "Be brief.", marked=(1,))
    after = CacheAligner(config()).align([system(content)]).messages[0]["content"]
    assert after[0] is content[0]
    assert after[1] is content[1]
    assert after[2]["text"].startswith("It is [date: see end].")
    assert after[3]["text"] == f"Be brief.{SEPARATOR}date: 2026-11-21"


@pytest.mark.parametrize(
    "later",
    [
        [system(parts(f"It is 2026-11-21. {RULES}", "Be  brief.", marked=(1,)))],
        [system(f"It is 2026-11-21. {RULES}", cache_control={"type": "ephemeral"})],
        [
            system(f"It is 2026-11-21. {RULES}"),
            {"role": "user", "content": parts("hi", marked=(0,))},
        ],
        [
            system(f"It is 2026-11-21. {RULES}"),
            {
                "role": "user",
                "content": [
                    {"type": "tool_result", "tool_use_id": "t", "content": parts("42", marked=(0,))}
                ],
            },
        ],
    ],
)
def test_nothing_before_a_cache_control_changes(later: list[dict[str, Any]]) -> None:
    result = CacheAligner(config()).align(later)
    assert all(after is before for after, before in zip(result.messages, later))
    assert (result.moved, result.changes[0].reason) == (
        (),
        "the caller's cache_control stands in it or after it",
    )


def test_a_system_message_after_a_cache_control_is_aligned() -> None:
    before = {"role": "user", "content": parts("hi", marked=(0,))}
    result = CacheAligner(config()).align([before, system(f"It is 2026-11-21. {RULES}")])
    assert result.moved == ("2026-11-21",)


def test_whitespace_is_normalized_outside_code() -> None:
    text = (
        "One  two\t three \r\n  \tindented   line\t\n\n \n\nRun `a  b`  now\n"
        "```\na  b \n\n\n\n```\n\n\n\n- x"
    )
    assert align_text(text) == (
        "One two three\r\n  \tindented line\n\nRun `a  b` now\n```\na  b \n\n\n\n```\n\n- x"
    )
    assert align_text(text, normalize_whitespace=False) == text.replace(
        "\n\n \n\n", "\n\n"
    ).replace("\n\n\n\n-", "\n\n-")
    assert align_text(text, collapse_blank_lines=False) == (
        "One two three\r\n  \tindented line\n\n\n\nRun `a  b` now\n```\na  b \n\n\n\n```\n\n\n\n- x"
    )


def test_a_whitespace_only_change_is_a_rewrite() -> None:
    result = CacheAligner(config()).align([system("One  two")])
    (change,) = result.changes
    assert (change.action, change.by, change.reason) == (
        "rewritten",
        "cache_aligner",
        "whitespace was normalized",
    )
    assert result.moved == ()


def test_nothing_changes_with_everything_disabled() -> None:
    messages = [system(f"It  is 2026-11-21. \n\n\n\n{RULES}")]
    result = CacheAligner(config(**KEEP_WHITESPACE, extract_dates=False)).align(messages)
    assert result.messages[0] is messages[0]
    result = CacheAligner(config(enabled=False)).align(messages)
    assert (result.messages[0] is messages[0], result.changes, result.moved) == (True, (), ())


def test_custom_patterns_move_the_match_or_its_only_group() -> None:
    text = f"Weather: rainy. Visits: 17. Build a-b `run 4` 2026-11-21. {RULES}"
    patterns = (r"Weather: (\w+)", r"Visits: \d+", "(a)-(b)", "run 4", "(x)?Build")
    assert align_text(text, extract_dates=False, dynamic_patterns=patterns).split(SEPARATOR) == [
        "Weather: [value: see end]. [value 2: see end]. Build [value 3: see end] "
        "`[value 4: see end]` 2026-11-21. " + RULES.strip(),
        "value: rainy\nvalue 2: Visits: 17\nvalue 3: a-b\nvalue 4: run 4",
    ]


def test_a_custom_pattern_takes_precedence_over_a_date() -> None:
    assert moved_values("It is 2026-11-21.", dynamic_patterns=("is 2026",)) == ("is 2026",)


def test_the_separator_is_configurable() -> None:
    text = align_text(f"It is 2026-11-21. {RULES}", dynamic_tail_separator="\n---\n")
    assert text.endswith("not plain.\n---\ndate: 2026-11-21")
    assert align_text(text, dynamic_tail_separator="\n---\n") == text


def test_reported_tokens_match_the_sent_messages() -> None:
    aligner, messages = (
        CacheAligner(config()),
        [system(f"It is 2026-11-21. {RULES}"), {"role": "user", "content": "hi"}],
    )
    result = aligner.align(messages)
    assert result.tokens_before == aligner.tokenizer.count_messages(messages)
    assert (
        result.tokens_after
        == aligner.tokenizer.count_messages(result.messages)
        > result.tokens_before
    )
    (change,) = result.changes
    assert result.tokens_saved == change.tokens_before - change.tokens_after


def test_as_a_transform_it_replaces_the_earlier_change() -> None:
    transform: Transform = CacheAligner(config())
    draft = dialect_for([]).parse(
        [system(f"It is 2026-11-21. {RULES}"), {"role": "user", "content": "hi"}]
    )
    kept = tuple(
        Change(block.message, block.path, "kept", "", "so it is", 9, 9) for block in draft.blocks
    )
    done = transform(type(draft)(draft.messages, draft.blocks, kept))
    assert [change.action for change in done.changes] == ["moved", "kept"]
    assert done.changes[1] is kept[1]
    assert draft.blocks[0].original is None


@pytest.mark.parametrize("wrong", ["It is 2026-11-21", {"role": "system"}, b"x", None, 7])
def test_a_non_list_is_a_TypeError(wrong: Any) -> None:
    with pytest.raises(TypeError):
        CacheAligner().align(wrong)


def test_an_unknown_dialect_is_a_ConfigurationError() -> None:
    with pytest.raises(ConfigurationError, match="dialect must be one of"):
        CacheAligner().align([], dialect="klingon")


def test_the_settings_are_a_snapshot() -> None:
    settings = config()
    aligner = CacheAligner(settings)
    settings.enabled = False
    assert aligner.align([system(f"It is 2026-11-21. {RULES}")]).moved


def test_odd_messages_pass_through() -> None:
    odd: list[Any] = [
        {},
        None,
        3,
        system(None),
        system(""),
        system([]),
        system([{"type": "image_url"}, None]),
    ]
    assert CacheAligner(config()).align(odd).messages == odd


SPELLINGS = (
    "%Y-%m-%d|%Y/%m/%d|%d/%m/%Y|%m/%d/%Y|%x|%d.%m.%Y|%d %B %Y|%B %d, %Y|%b %d, %Y|%A, %B %d, %Y"
    "|%A, %d %B %Y|%a %d %b|%c|%Y-%m-%d %H:%M|%Y-%m-%d %H:%M:%S|%Y-%m-%dT%H:%M:%SZ"
    "|%Y-%m-%d %H:%M:%S EST|%A, %B %d, %Y at %I:%M %p"
    "|%I:%M %p|%X|%a, %d %b %Y %H:%M:%S +0000|%A, %B %e, %Y|%Y%m%dT%H%M%SZ"
).split("|")
RANDOM_IDS = (
    lambda random: str(uuid.UUID(int=random.getrandbits(128))),
    lambda random: f"a1{random.getrandbits(random.choice((64, 128, 256))):064x}",
    lambda random: "0" + "".join(random.choices("0123456789ABCDEFGHJKMNPQRSTVWXYZ", k=25)),
    lambda random: (
        "req_a1B2c3D4" + "".join(random.choice("aZ9") for _ in range(random.randint(20, 40)))
    ),
)
STABLE_PARTS = (
    "You help.",
    "Be brief,",
    "at\n",
    "`x  y`",
    "\n\n\n",
    "- item  two",
    "v2.1.0",
    "(",
    ")",
    "“",
    "”",
    "\n```\n1\n```\n",
    "Zoë",
    "[id: see end]",
)


@st.composite
def templates(draw: st.DrawFn) -> list[str | int]:
    """Draw the parts of a prompt: stable texts, and indexes of volatile values."""
    count = len(SPELLINGS) + len(RANDOM_IDS)
    pieces = draw(
        st.lists(st.sampled_from(STABLE_PARTS) | st.integers(0, count - 1), min_size=1, max_size=20)
    )
    return [*pieces, *draw(st.sampled_from(([], ["And so on."])))]


def fill_template(template: list[str | int], seed: int) -> str:
    """Return the prompt of a random day."""
    random = Random(seed)
    now = datetime(2001, 1, 1, tzinfo=UTC) + timedelta(seconds=random.randrange(10**9))
    changing = [lambda _, spelling=spelling: now.strftime(spelling) for spelling in SPELLINGS]
    values = [*changing, *RANDOM_IDS]
    # Words in between, because text next to a date could be read as a part of it.
    return " and ".join(
        piece if isinstance(piece, str) else values[piece](random) for piece in template
    )


@given(templates(), st.integers(), st.integers(), st.booleans())
def test_prompts_that_differ_only_in_volatile_values_share_a_prefix(
    template: list[str | int], seed: int, other_seed: int, tidy: bool
) -> None:
    settings = {"normalize_whitespace": tidy, "collapse_blank_lines": tidy}
    first, second = (
        align_text(fill_template(template, seed), **settings) for seed in (seed, other_seed)
    )
    heads = {text.rpartition(SEPARATOR)[0] for text in (first, second)}
    assert len(heads) == 1
    changing = [index for index, piece in enumerate(template) if isinstance(piece, int)]
    assert SEPARATOR in first or changing in ([], [len(template) - 1])


@given(templates(), st.integers())
def test_nothing_is_lost_when_parts_move(template: list[str | int], seed: int) -> None:
    text = fill_template(template, seed)
    assert restore_values(align_text(text, **KEEP_WHITESPACE)) == text


@given(templates(), st.integers(), st.booleans(), st.booleans())
def test_aligning_an_aligned_prompt_changes_nothing(
    template: list[str | int], seed: int, spaces: bool, lines: bool
) -> None:
    aligner = CacheAligner(config(normalize_whitespace=spaces, collapse_blank_lines=lines))
    once = aligner.align([system(fill_template(template, seed))])
    again = aligner.align(once.messages)
    assert again.messages[0] is once.messages[0]
    assert again.moved == ()


@given(st.text(alphabet=" \t\r\n`~x-", max_size=60))
@example("`\n\n\n`")
def test_normalizing_is_idempotent_and_changes_only_whitespace(text: str) -> None:
    once = align_text(text)
    assert align_text(once) == once
    assert "".join(once.split()) == "".join(text.split())


@pytest.mark.parametrize(
    "piece",
    [
        "1",
        " ",
        "\n",
        "`",
        "`` ` ",
        "```\n",
        "10:",
        "20/",
        "Nov 2 ",
        "2026-11-21 ",
        "eyJa.",
        "a1-",
        "request id: ",
        " \r",
        "A a",
    ],
)
def test_long_prompts_are_aligned_in_time(piece: str) -> None:
    aligner = CacheAligner(config())
    text = piece * (200_000 // len(piece))
    start = time.perf_counter()
    aligner.align([system(text)])
    assert time.perf_counter() - start < 5

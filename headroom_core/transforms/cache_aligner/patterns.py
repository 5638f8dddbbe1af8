"""Patterns of prompt text that changes from day to day: dates, clock times, zones, ids and tokens.

The patterns with public names are used elsewhere; the others are their parts. Repetitions are
bounded wherever a long text could make matching slow.
"""

from __future__ import annotations

import re

# --- Dates ---------------------------------------------------------------------------------------

# One or two spaces, as `%e` and `ctime` write them before a single digit. Includes the no-break
# spaces that Unicode's locale data puts before AM and PM. Not a tab or a line break: those begin
# another cell or line.
_GAP = "[ \u00a0\u202f]{1,2}"

# English names, whole or abbreviated, with or without a dot. Always capitalized: "may",
# "sat" and "sun" in a sentence do not match.
_WEEKDAY = r"(?:Mon|Tues?|Wed(?:nes)?|Thu(?:rs?)?|Fri|Sat(?:ur)?|Sun)(?:day)?\.?"
_MONTH = (
    r"(?:Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?"
    r"|Aug(?:ust)?|Sep(?:t(?:ember)?)?|Oct(?:ober)?|Nov(?:ember)?|Dec(?:ember)?)\.?"
)

# Years of the present. Others, such as 1850, belong to history and stay.
_YEAR = r"(?:19|20)\d\d"

# Months and days in exactly two digits, and with an optional leading zero. A day is not followed
# by a digit: "Nov 2026" has no day 20.
_MONTH_2_DIGITS = r"(?:0[1-9]|1[0-2])"
_DAY_2_DIGITS = r"(?:0[1-9]|[12]\d|3[01])"
_MONTH_NUMBER = r"(?:1[0-2]|0?[1-9])"
_DAY_NUMBER = r"(?:[12]\d|3[01]|0?[1-9])(?!\d)"
_ORDINAL_DAY = rf"{_DAY_NUMBER}(?:st|nd|rd|th)?"

# --- Zones ---------------------------------------------------------------------------------------

# A time zone after a clock time: "Z", "UTC+2", "+02:00" or a common abbreviation, not followed by
# more of a word ("10:32 ESTIMATE"); or a long name, "Eastern Standard Time". In both cases with an
# optional comment in parentheses, as JavaScript writes it: "GMT+0000 (Coordinated Universal Time)".
_ZONE = (
    rf"(?:(?:{_GAP})?(?:Z|(?:UTC|GMT)(?:[+-]\d\d?(?::?\d\d)?)?|[+-]\d\d:?\d\d"
    r"|[ECMP][SD]?T|AK[SD]T|HST|BST|WES?T|CES?T"
    r"|EES?T|MSK|I[SD]T|PKT|[JK]ST|[SH]K?GT|HKT|A[CEW][SD]T|NZ[SD]T|SAST|[AB]RT)(?![A-Za-z0-9_])"
    rf"|{_GAP}(?:[A-Z][a-z]+ ){{0,2}}"
    r"(?:Standard|Daylight|Summer|Universal|Mean|Eastern|Central|Mountain|Pacific) Time)"
    rf"(?:{_GAP}\([A-Z][A-Za-z ]{{2,40}}\))?"
)

# --- Clock times ---------------------------------------------------------------------------------

# "AM" or "p.m." after a clock time, not the beginning of a word ("10 amps").
_AM_PM = rf"(?:{_GAP})?(?:[AaPp][Mm](?![A-Za-z0-9_])|[AaPp]\.[Mm]\.)"

# Hours and minutes of a day of 24 hours; not scores or ratios beyond it, such as 25:10 or 10:75.
_HOUR_MINUTE = r"(?:[01]?\d|2[0-3]):[0-5]\d"

# The same with seconds and an optional fraction, which is not the beginning of a date: in
# "10:32:05,21.11.2026" the comma separates.
_HOUR_MINUTE_SECOND = rf"{_HOUR_MINUTE}:[0-5]\d(?:[.,]\d{{1,9}}(?![./:]?\d|-\d\d-))?"

# Beside a date, "10:32" and "10 AM" are clear enough.
_CLOCK_BY_DATE = (
    rf"(?:(?:{_HOUR_MINUTE_SECOND}|{_HOUR_MINUTE})(?:{_AM_PM})?|1?\d{_AM_PM})(?:{_ZONE})?"
)

# Without a date, a clock time needs seconds, AM or PM, or a zone: "Open 9:00 to 17:00" is a rule.
_CLOCK_ALONE = (
    rf"(?:{_HOUR_MINUTE_SECOND}(?:{_AM_PM})?(?:{_ZONE})?"
    rf"|{_HOUR_MINUTE}{_AM_PM}(?:{_ZONE})?|{_HOUR_MINUTE}{_ZONE})"
)

# --- Dates and clock times together --------------------------------------------------------------

# The year after a day and a month's name, in four digits or in two ("21 Nov '26"). It is not the
# beginning of another date, a clock time, a number or a percentage: "21 Nov 10:32", "Nov 21 25%".
_YEAR_OF_DAY = rf"(?:{_YEAR}(?![-/.]?\d)|['’]?\d\d(?![-/.:,]?\d|[%°]|{_AM_PM}))"

# In this order: 2026-11-21 and 2026/11/21; 2026年11月21日; 21/11/2026, 21.11.2026 and 11-21-2026;
# 11/21/26; "2026, November 21" and 2026-Nov-21; "21st of November 2026" and 21-Nov-26;
# "November 21, 2026". A date of numbers has a year and the same separator twice: neither
# "24/7" nor version numbers match.
_PLAIN_DATE = (
    rf"(?:{_YEAR}(?P<sep>[-/]){_MONTH_NUMBER}(?P=sep){_DAY_NUMBER}|{_YEAR}年\d\d?月\d\d?日"
    rf"|{_DAY_NUMBER}(?P<mark>[-/.]){_DAY_NUMBER}(?P=mark){_YEAR}|\d\d?/\d\d?/\d\d"
    rf"|{_YEAR}(?:,?{_GAP}{_MONTH}{_GAP}|-{_MONTH}-){_ORDINAL_DAY}"
    rf"|{_ORDINAL_DAY}\.?(?:{_GAP}(?:of )?|-){_MONTH}(?:(?:,?{_GAP}|-){_YEAR_OF_DAY})?"
    rf"|{_MONTH}{_GAP}{_ORDINAL_DAY}(?:,?{_GAP}{_YEAR_OF_DAY})?)"
)

# The weekday after a date: "2026-11-21 (Saturday)" or "2026-11-21, Saturday". Not one that begins
# the next date: "21 Nov, Sunday, November 22".
_WEEKDAY_AFTER = rf"(?:,? \({_WEEKDAY}\)|, {_WEEKDAY}(?!,?{_GAP}(?:[A-Z]|\d\d?{_GAP})))"
_DATE = rf"(?:{_WEEKDAY},?{_GAP}(?:the )?)?{_PLAIN_DATE}(?:{_WEEKDAY_AFTER})?"

# In this order: "Sat Nov 21 10:32:05 UTC 2026", as `ctime` and `date` write it; 20261121T103205Z;
# any date with an optional clock time before or after it.
_STAMPS = (
    rf"{_WEEKDAY},?{_GAP}{_MONTH}{_GAP}{_ORDINAL_DAY}{_GAP}{_HOUR_MINUTE_SECOND}"
    rf"(?:{_ZONE})?{_GAP}{_YEAR}",
    rf"{_YEAR}{_MONTH_2_DIGITS}{_DAY_2_DIGITS}T\d{{4}}(?:\d\d)?(?:{_ZONE})?",
    rf"(?:{_CLOCK_BY_DATE}(?:,| on)?{_GAP})?{_DATE}"
    rf"(?:(?:T|,?{_GAP}(?:at |- |\| )?|,){_CLOCK_BY_DATE})?",
)

# A date, a clock time, or both; never a part of a longer word or number. The lookahead only makes
# it faster: it skips the positions at which no alternative can begin.
DATE_OR_TIME = re.compile(
    rf"(?<![A-Za-z0-9_])(?=[0-9A-Z])(?:(?P<dated>{'|'.join(_STAMPS)})|{_CLOCK_ALONE})"
    r"(?![A-Za-z0-9_])",
    re.ASCII,
)

# Whether a match of the above with a date has a clock time too.
CLOCK_INSIDE = re.compile(rf"\d:\d\d|\d{{8}}T|\d{_AM_PM}", re.ASCII)

# --- Ids and times behind a label ----------------------------------------------------------------

# Things that are new with each request or session. Not "project", "model" or "customer": ids of
# what the prompt is about stay.
_ID_OWNERS = (
    "request|req|session|sess|trace|span|run|correlation|conversation|thread|transaction|execution"
    "|invocation|interaction|chat|message|user"
)

# Between a label and its value: "is", a colon, an equals sign or a closing bracket, with quotes or
# Markdown around it.
_IS = r"""["'*_]{0,3}\s?(?:is\s|[:=>#])["'*_#\s]{0,4}"""

# The same with a sign, as behind the label of a line.
_IS_LABEL = r"""["'*_]{0,3}[ \t]?[:=]["'*_ \t]{0,4}"""

# Labels of times that change, and words that may follow them: "Current time (UTC):", "Started at:".
_TIME_LABELS = "time|now|clock|date|today|started|created|updated|issued|generated|expires|sent"
_AT = r"(?:[ _-](?:at|on|time))?(?:[ \t]?\([A-Za-z ]{1,16}\))?"

# A random id: 16 characters or more, not just dashes ("session_id: ------------ end").
_RANDOM_ID = r"(?=[_-]{0,8}[A-Za-z0-9])([A-Za-z0-9_-]{16,512})"

_ID_VALUES = (
    # Behind a colon or an equals sign any random id: one in some dozens has no digit, or begins
    # with a dash.
    rf"""["'*_]{{0,3}}[ \t]?[:=>#]["'*_# \t]{{0,4}}?{_RANDOM_ID}""",
    # Behind "is", only with a digit or a capital inside: a long word may be part of the sentence,
    # "the user id is case-insensitive".
    rf"""[ \t]is[ \t]["'*_]{{0,3}}?(?=[A-Za-z_-]{{0,512}}(?:\d|(?-i:[A-Za-z][A-Z]))){_RANDOM_ID}""",
    # A short id only with a digit: "session_id: string" describes a field.
    rf"{_IS}(?=[A-Za-z_-]{{0,128}}\d)([A-Za-z0-9][A-Za-z0-9_-]{{0,127}})",
)

_LABELED = (
    # "session_id: abc123", "traceId": "t_93". Not "userid" inside of a word before it, nor a label
    # without a value.
    ("id", rf"(?<![A-Za-z])(?:{_ID_OWNERS})[ _-]?id(?:{'|'.join(_ID_VALUES)})"),
    # "The time is 10:32". A bare "10:32" without such a word may be anything.
    ("time", rf"\b(?:time|now|clock)(?:{_IS}|\s)({_HOUR_MINUTE})"),
    # Unix time in seconds, milli-, micro- or nanoseconds. Not other numbers, and none in another
    # line than the label.
    (
        "time",
        r"\b(?:timestamp|epoch|unix)[^\n\d]{0,24}"
        r"((?:\d{10}|\d{13}|\d{16}|\d{19})(?:\.\d{1,9})?)",
    ),
    # The same behind a label that names a time, "Started at: 1705312200". It begins as the times of
    # this century's first decades do: other numbers are amounts.
    (
        "time",
        rf"(?<![A-Za-z])(?:{_TIME_LABELS}){_AT}{_IS_LABEL}"
        r"(1[0-9]\d{8}(?:\d{3}|\d{6}|\d{9})?(?:\.\d{1,9})?)",
    ),
    # "Session: sess_abc123xyz789". A piece of the value mixes digits and letters, unlike in
    # "Session: morning" and "Run: llama-3-70b".
    (
        "id",
        rf"(?<![A-Za-z])(?:{_ID_OWNERS}){_IS_LABEL}"
        r"((?:[a-z0-9]{1,32}[_-]){0,4}(?=[a-z]{0,127}\d)(?=\d{0,127}[a-z])[a-z0-9]{8,128})",
    ),
)

# Kind and pattern of values that a label identifies. The only group of a match is the value, which
# is never a part of a longer word.
LABELED = [
    (kind, re.compile(rf"{pattern}(?![A-Za-z0-9_-])", re.ASCII | re.IGNORECASE))
    for kind, pattern in _LABELED
]

# --- Tokens --------------------------------------------------------------------------------------

# A JSON Web Token: two or three parts in base64url, the first of which begins with the encoding of
# '{"'. Its dots make it different from all other tokens.
WEB_TOKEN = re.compile(
    r"(?<![A-Za-z0-9_.-])eyJ[\w-]{8,2048}\.[\w-]{8,4096}(?:\.[\w-]{8,1024})?(?![A-Za-z0-9_-])",
    re.ASCII,
)

# A word of 16 characters or more with a letter and a digit. It may be random; `_is_random` decides.
LONG_WORD = re.compile(
    r"(?<![A-Za-z0-9_-])(?=[A-Za-z_-]{0,512}\d)(?=[\d_-]{0,512}[A-Za-z])[\w-]{16,512}"
    r"(?![A-Za-z0-9_-])",
    re.ASCII,
)

# A UUID inside of a long word, which may have a prefix. Not a part of a longer hexadecimal run.
UUID = re.compile(
    r"(?<![0-9a-f])[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}(?![0-9a-f])", re.IGNORECASE
)

# For whole pieces of a long word between its dashes: a hash in hexadecimal digits, and a ULID in
# Crockford's base 32, which has no I, L, O and U.
HEX = re.compile(r"[0-9a-f]{16,}", re.IGNORECASE)
ULID = re.compile(r"[0-7][0-9A-HJKMNP-TV-Z]{25}")

# Runs of characters of one kind. Names have long ones, random text has short ones.
SAME_KIND_RUN = re.compile(r"[a-z]+|[A-Z]+|[0-9]+")

# A piece of 8 characters or more that has letters and digits. Not a word alone, nor a number alone:
# names and versions are made of those, "llama-3-1-70b-instruct" and "sonnet-4-5-20250929".
MIXED = re.compile(r"(?=.{8})(?:[A-Za-z]+\d|\d+[A-Za-z])")

# --- Surroundings --------------------------------------------------------------------------------

# Characters that join a value to a longer word, path, address or version.
JOINING_CHARACTERS = (
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_./\\:@#%&?=+~$-"
)

# At most two labels directly before a value, the only part of a longer word that may precede it:
# "date=", "urn:uuid:". Not a path or a host.
LABELS_BEFORE = re.compile(r"(?:[A-Za-z_][\w-]*[:=]){0,2}", re.ASCII)

# The end of the text before a value that is a version, such as "anthropic-version: ".
VERSION_BEFORE = re.compile(
    r"""version["'*_]{0,3}\s?(?:is\s)?[:=]?\s?["'*]{0,2}\Z""", re.IGNORECASE
)

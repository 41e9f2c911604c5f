"""How dates are written, in ten languages and in digits alone, so that no spelling means two dates."""

import datetime
import functools

FIRST, LAST = datetime.date(1950, 1, 1), datetime.date(2049, 12, 31)

# Written for dates alone that read the same in either order of day and month; see `_fits`.
_BOTH_ORDERS = (
    "{d}/{m}/{y}", "{dd}/{mm}/{y}", "{d}/{m}/{yy}", "{d}-{m}-{y}", "{dd}-{mm}-{y}", "{m}/{d}/{y}", "{mm}/{dd}/{y}",
    "{m}/{d}/{yy}", "{m}-{d}-{y}", "{mm}-{dd}-{y}",
)  # fmt: skip
_TEMPLATES = {
    "digits": (
        "{y}-{mm}-{dd}", "{y}-{m}-{d}", "{y}/{mm}/{dd}", "{y}/{m}/{d}", "{y}.{mm}.{dd}", "{y} {mm} {dd}",
        "{y}{mm}{dd}", "{dd}.{mm}.{y}", "{d}.{m}.{y}", "{d}. {m}. {y}", "{dd}.{mm}.{yy}", *_BOTH_ORDERS,
    ),
    "en": (
        "{month} {d}, {y}", "{month} {d} {y}", "{month} {d}{th}, {y}", "{month} {d}{th} {y}",
        "{month} the {d}{th}, {y}", "{mon} {d}, {y}", "{mon} {d} {y}", "{mon}. {d}, {y}", "{month} {d}, '{yy}",
        "{mon} {d} '{yy}", "{mon} {d}, {yy}", "{weekday}, {month} {d}, {y}", "{weekday}, {month} {d}{th}, {y}",
        "{wd}, {mon} {d}, {y}", "{wd} {mon} {d} {y}", "{d} {month} {y}", "{d} {month}, {y}", "{d}{th} {month} {y}",
        "{d}{th} of {month} {y}", "{d}{th} of {month}, {y}", "the {d}{th} of {month} {y}", "{d} {mon} {y}",
        "{dd} {mon} {y}", "{d} {mon}. {y}", "{d}-{mon}-{y}", "{dd}{mon}{y}", "{d} {mon} '{yy}", "{dd}-{mon}-{yy}",
        "{weekday} {d} {month} {y}", "{weekday}, {d} {month} {y}", "{weekday} {d}{th} {month} {y}",
        "{wd} {d} {mon} {y}", "{wd}, {dd} {mon} {y}", "{y} {month} {d}", "{y} {mon} {d}",
    ),
    "de": (
        "{d}. {month} {y}", "{dd}. {month} {y}", "{d}. {mon} {y}", "{d}. {mon}. {y}", "{d}. {month} {yy}",
        "den {d}. {month} {y}", "{weekday}, {d}. {month} {y}", "{weekday}, den {d}. {month} {y}",
        "{weekday}, {dd}.{mm}.{y}", "{wd}, {d}. {mon} {y}",
    ),
    "fr": (
        "{first} {month} {y}", "le {first} {month} {y}", "{first} {mon} {y}", "{first} {month} {yy}",
        "{weekday} {first} {month} {y}", "le {weekday} {first} {month} {y}", "{weekday} {first} {mon} {y}",
    ),
    "es": (
        "{d} de {month} de {y}", "el {d} de {month} de {y}", "{d} {month} {y}", "{d} {mon} {y}", "{d}-{mon}-{y}",
        "{d} de {month} de {yy}", "{weekday} {d} de {month} de {y}", "{weekday}, {d} de {month} de {y}",
    ),
    "it": (
        "{first} {month} {y}", "{d} {month} {y}", "{d} {mon} {y}", "{d} {mon}. {y}", "{d}-{mon}-{y}",
        "{d} {month} {yy}", "{weekday} {first} {month} {y}", "{weekday}, {d} {month} {y}",
    ),
    "pt": (
        "{first} de {month} de {y}", "{d} de {month} de {y}", "{d} de {mon}. de {y}", "{d} {mon} {y}",
        "{d}/{mon}/{y}", "{d} de {month} de {yy}", "{weekday}, {first} de {month} de {y}",
        "{weekday}, {d} de {month} de {y}",
    ),
    "nl": (
        "{d} {month} {y}", "{d} {mon} {y}", "{d} {mon}. {y}", "{d}-{mon}-{y}", "{d} {month} {yy}",
        "{weekday} {d} {month} {y}", "{weekday}, {d} {month} {y}", "{wd} {d} {mon} {y}",
    ),
    "ja": (
        "{y}年{m}月{d}日", "{y}年{mm}月{dd}日", "{y}年 {m}月 {d}日", "{han_y}年{han_m}月{han_d}日",
        "{y}年{m}月{d}日({wd})", "{y}年{m}月{d}日{weekday}", "{y}年{m}月{d}日 {weekday}",
    ),
    "zh": (
        "{y}年{m}月{d}日", "{y}年{mm}月{dd}日", "{y}年{m}月{d}号", "{han_y}年{han_m}月{han_d}日",
        "{y}年{m}月{d}日 {wd}", "{y}年{m}月{d}日{weekday}", "{y}年{m}月{d}日 {weekday}",
    ),
    "ko": (
        "{y}년 {m}월 {d}일", "{y}년 {mm}월 {dd}일", "{y}년{m}월{d}일", "{y}. {m}. {d}.", "{y}년 {m}월 {d}일 ({wd})",
        "{y}년 {m}월 {d}일 {weekday}", "{y}년 {m}월 {d}일, {weekday}",
    ),
}  # fmt: skip
STYLES = tuple(_TEMPLATES)

# Long months, short months, long weekdays from Monday, short weekdays: Unicode's CLDR, most without full stops.
_NAMES = {
    "en": (
        "January February March April May June July August September October November December",
        "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec",
        "Monday Tuesday Wednesday Thursday Friday Saturday Sunday",
        "Mon Tue Wed Thu Fri Sat Sun",
    ),
    "de": (
        "Januar Februar März April Mai Juni Juli August September Oktober November Dezember",
        "Jan Feb Mär Apr Mai Jun Jul Aug Sep Okt Nov Dez",
        "Montag Dienstag Mittwoch Donnerstag Freitag Samstag Sonntag",
        "Mo Di Mi Do Fr Sa So",
    ),
    "fr": (
        "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
        "janv. févr. mars avr. mai juin juil. août sept. oct. nov. déc.",
        "lundi mardi mercredi jeudi vendredi samedi dimanche",
    ),
    "es": (
        "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
        "ene feb mar abr may jun jul ago sept oct nov dic",
        "lunes martes miércoles jueves viernes sábado domingo",
    ),
    "it": (
        "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre",
        "gen feb mar apr mag giu lug ago set ott nov dic",
        "lunedì martedì mercoledì giovedì venerdì sabato domenica",
    ),
    "pt": (
        "janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro dezembro",
        "jan fev mar abr mai jun jul ago set out nov dez",
        "segunda-feira terça-feira quarta-feira quinta-feira sexta-feira sábado domingo",
    ),
    "nl": (
        "januari februari maart april mei juni juli augustus september oktober november december",
        "jan feb mrt apr mei jun jul aug sep okt nov dec",
        "maandag dinsdag woensdag donderdag vrijdag zaterdag zondag",
        "ma di wo do vr za zo",
    ),
    "ja": ("", "", "月曜日 火曜日 水曜日 木曜日 金曜日 土曜日 日曜日", "月 火 水 木 金 土 日"),
    "zh": ("", "", "星期一 星期二 星期三 星期四 星期五 星期六 星期日", "周一 周二 周三 周四 周五 周六 周日"),
    "ko": ("", "", "월요일 화요일 수요일 목요일 금요일 토요일 일요일", "월 화 수 목 금 토 일"),
}
_NAMES = {style: tuple(names.split() for names in kinds) for style, kinds in _NAMES.items()}
_FIRST_OF_MONTH = {"fr": "1er", "it": "1º", "pt": "1º"}
_HAN_DIGITS = "〇一二三四五六七八九"


def _with_capital(text):
    return text[:1].upper() + text[1:]


CASES = (str, _with_capital, str.lower, str.upper)
"""In which case a spelling is written: its own, its first letter in upper case, all lower case, all upper case."""


def spellings(date, styles=STYLES):
    """The ways in which a date is written.

    Args:
        date: `datetime.date`. Years of two digits are written between `FIRST` and `LAST` only.
        styles: of `STYLES`: `"digits"`, or a language as in ISO 639-1.

    Returns:
        list of different `str`.
    """
    written = (spelling for style in styles for spelling in spellings_in_their_case(date, style))
    return list(dict.fromkeys(case(spelling) for spelling in written for case in CASES))


def spellings_in_their_case(date, style):
    """The spellings of one style as the language itself writes them, a list of `str` that may have doubles."""
    fields = _fields(date, style)
    return [template.format_map(fields) for template in _TEMPLATES[style] if _fits(template, fields, date)]


def _fits(template, fields, date):
    """Whether a date, written like this, can be read in one way only.

    Day and month in either order, as in 3/4/1990, need a day above 12 or equal to the month. A year of two digits
    follows an apostrophe or is above 31, so that it is no day; its century is that of the range of dates.
    """
    if template in _BOTH_ORDERS and date.day <= 12 and date.day != date.month:
        return False
    if "{yy}" in template and not (FIRST <= date <= LAST and ("'" in template or date.year % 100 > 31)):
        return False
    return "{mon}." not in template or fields["mon"] != fields["month"]  # A full stop follows what is shortened.


def _fields(date, style):
    year, month, day, weekday = date.year, date.month, date.day, date.weekday()
    fields = {"y": f"{year:04}", "yy": f"{year % 100:02}", "m": month, "mm": f"{month:02}", "d": day, "dd": f"{day:02}"}
    fields["first"] = _FIRST_OF_MONTH.get(style, day) if day == 1 else day
    fields["th"] = "th" if 11 <= day <= 13 else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")
    places = (("month", month - 1), ("mon", month - 1), ("weekday", weekday), ("wd", weekday))
    for (field, place), names in zip(places, _NAMES.get(style, ()), strict=False):
        fields[field] = names[place] if names else ""
    if style in ("ja", "zh"):
        fields["han_y"] = "".join(_HAN_DIGITS[int(digit)] for digit in fields["y"])
        fields["han_m"], fields["han_d"] = _han_number(month), _han_number(day)
    return fields


@functools.cache
def _han_number(number):
    """1 to 99 in Chinese numerals: 10 is 十, 11 十一, 20 二十, 31 三十一."""
    tens, ones = divmod(number, 10)
    return (_HAN_DIGITS[tens] if tens > 1 else "") + ("十" if tens else "") + (_HAN_DIGITS[ones] if ones else "")

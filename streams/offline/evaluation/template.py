"""The page of the report: one file, no script, nothing from elsewhere; light or dark as the reader has it."""

from __future__ import annotations

from typing import Final

PAGE: Final = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Evaluation of scorer {{ d.artefact.version }}</title>
<style>
:root { color-scheme: light dark; --line: #8886; --soft: #8882; --warn: #c9504f; --good: #3b82c4; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 64rem; margin: 2rem auto; padding: 0 1rem;
  color: CanvasText; background: Canvas; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.2rem; margin-top: 2.2rem; }
table { border-collapse: collapse; font-size: .85rem; font-variant-numeric: tabular-nums; }
.wide { overflow-x: auto; }
.even { table-layout: fixed; width: 100%; min-width: 44rem; } .even th:first-child { width: 8.5rem; }
th, td { padding: .25rem .6rem; border-bottom: 1px solid var(--line); text-align: right; vertical-align: top; }
th:first-child, td:first-child { text-align: left; }
td.own, th.own { font-weight: 600; background: var(--soft); }
small { opacity: .75; font-weight: 400; }
.lead { border-left: 4px solid var(--good); padding: .4rem 1rem; background: var(--soft); }
.lead p:first-child { font-weight: 600; }
figure { margin: 1rem 0; } figure svg { max-width: 100%; height: auto; }
@media (max-width: 40rem) {
  body { padding: 0 .6rem; } figure { overflow-x: auto; } figure svg { max-width: none; width: 36rem; }
  table { font-size: .75rem; } th, td { padding: .2rem .35rem; }
  .wide th:first-child, .wide td:first-child { position: sticky; left: 0; background: Canvas; }
}
figcaption, .note { font-size: .9rem; }
.warn { border-left: 4px solid var(--warn); padding: .2rem .8rem; background: var(--soft); }
</style>
</head>
<body>
{%- macro cell(row) %}{{ row.value | number }}<br><small>{{ row.low | number }} to {{ row.high | number }}</small>
{%- endmacro %}
{%- macro difference(row) %}{{ row.value | signed }}<br><small>{{ row.low | signed }} to
{{ row.high | signed }}</small>
{%- endmacro %}
{%- macro own(model) %}{% if model == "scorer" %} class="own"{% endif %}{% endmacro %}
<h1>Evaluation of scorer {{ d.artefact.version }}</h1>
<p>{{ d.artefact.kind }} model, encoder <code>{{ d.artefact.encoder }}</code>, made on {{ d.artefact.date }}.
{{ d.data.rows | count }} rows of {{ d.data.users | count }} users from {{ d.data.first_instant }} to
{{ d.data.last_instant }}; {{ d.data.users_with_spend | count }} of the users spent in some 30 days judged, in
{{ d.data.rows_with_spend | count }} of the rows. Mean spend {{ d.business.currency }}
{{ d.data.mean_spend | number }}.</p>
{%- if d.data.overlap == "certain" %}<p class="warn">Not a test: {{ d.data.overlap_reason }}.</p>{% endif %}
{%- if not d.data.profile_used %}<p class="warn">The profiles are not those that this scorer was fitted to: it is
judged from behaviour alone.</p>{% endif %}

<h2>Summary for the business</h2>
<div class="lead"><p>{{ found }}</p><p>{{ missed }}</p><p>{{ beside }}</p></div>
<figure>{{ plots.gains }}<figcaption>How much of the money the first so many percent of the shoppers hold, by each
order. Dashed: no order. Dotted: the order of what they went on to spend, which nobody knows beforehand. The upright
line is the tenth that the words above speak of.</figcaption></figure>
<div class="wide"><table>
<thead><tr><th>tier</th><th>of the shoppers</th><th>buy within 30 days</th><th>expected spend</th><th>actual spend</th>
<th>of the money</th></tr></thead>
<tbody>
{%- for tier, row in d.business.tiers.items() %}
<tr><td>{{ tier }}</td><td>{{ row.share | percent }}</td><td>{{ row.bought | percent }}</td>
<td>{{ row.expected | number }}</td><td>{{ row.actual | number }}</td><td>{{ row.share_of_money | percent }}</td></tr>
{%- endfor %}
</tbody></table></div>
<p class="note">Spend is the mean of a shopper in 30 days, in {{ d.business.currency }}. This is money that these
shoppers spend anyway: the scores find who spends, and do not say who can be moved to spend more. Only an experiment
with some left out says that.</p>

<h2>What the scorer goes by</h2>
<figure>{{ plots.importance }}<figcaption>The mean absolute contribution of each feature to a prediction, over the rows
judged: how far it moves predictions up (right) and down (left) on average. Predictions are log1p of money. They are
divided among the features {% if d.importance.attribution == "exact" %}exactly{% else %}by
{{ d.importance.attribution | replace("_", " ") }}{% endif %}, so that the parts add up to each prediction; nothing is
permuted.{% if d.importance.others.features %} The other {{ d.importance.others.features }} features add up to
{{ d.importance.others.mean_absolute | number }}.{% endif %}</figcaption></figure>
<div class="wide"><table>
<thead><tr><th>what the features speak of</th><th>mean |contribution|</th><th>lowers by</th><th>raises by</th></tr>
</thead>
<tbody>
{%- for row in d.importance.families %}
<tr><td>{{ row.family }}</td><td>{{ row.mean_absolute | number }}</td><td>{{ row.lowers | number }}</td>
<td>{{ row.raises | number }}</td></tr>
{%- endfor %}
</tbody></table></div>
<p class="note">Features overlap, and the contributions of those that speak of one thing partly cancel: the table adds
them up per shopper first. A feature that the scorer goes by is no cause of spending.</p>

<h2>All measures</h2>
<div class="wide"><table class="even">
<thead><tr><th></th>{% for model in d.metrics %}<th{{ own(model) }}>{{ models[model] }}</th>{% endfor %}</tr></thead>
<tbody>
{%- for name in measures %}
<tr><td>{{ measures[name] }}</td>
{%- for model, row in d.metrics.items() %}<td{{ own(model) }}>{{ cell(row[name]) }}</td>{% endfor %}</tr>
{%- endfor %}
</tbody></table></div>
<p class="note">Small: 95 % intervals, from {{ d.bootstrap.draws }} resamplings of users with all their rows.
A baseline may win: where it does, it is not hidden.</p>
<ul class="note">{% for name in measures %}<li>{{ measures[name] }}: {{ meanings[name] }}.</li>{% endfor %}</ul>

<h2>Against each baseline, on the same users</h2>
<figure>{{ plots.forest }}<figcaption>{{ standings | join(" ") }} A line that crosses zero tells
nothing apart. Zero itself is far behind and not drawn.</figcaption></figure>
<div class="wide"><table class="even">
<thead><tr><th>the scorer ahead of</th>{% for model in d.ahead %}<th>{{ models[model] }}</th>{% endfor %}</tr></thead>
<tbody>
{%- for name in measures %}
<tr><td>{{ measures[name] }}</td>{% for row in d.ahead.values() %}<td>{{ difference(row[name]) }}</td>{% endfor %}</tr>
{%- endfor %}
</tbody></table></div>
<p class="note">Positive: the scorer is better, whichever way the measure runs. Both are measured on the same
users in each resampling.</p>

<h2>Calibration</h2>
<figure>{{ plots.calibration }}<figcaption>{{ calibrated }}</figcaption></figure>

<h2>Who will buy</h2>
<figure>{{ plots.curves }}<figcaption>{{ will_buy }} The thin dashed lines are no order at all; at a base rate of
{{ base_rate | percent }}, precision says more than the ROC curve.</figcaption></figure>

<h2>With and without text</h2>
{%- set pairs = [("withheld", "this scorer", "its profile withheld"),
  ("refitted", "fitted again with text", "fitted again without")] %}
<div class="wide"><table class="even">
<thead><tr><th></th>
{%- for way, full, bare in pairs if way in d.ablation %}<th>{{ full }}</th><th>{{ bare }}</th>
<th class="own">with text ahead by</th>{% endfor %}</tr></thead>
<tbody>
{%- for name in measures %}
<tr><td>{{ measures[name] }}</td>
{%- for way, full, bare in pairs if way in d.ablation %}{% set pair = d.ablation[way] %}
<td>{{ cell(pair.with_text[name]) }}</td><td>{{ cell(pair.without_text[name]) }}</td>
<td class="own">{{ difference(pair.ahead[name]) }}</td>{% endfor %}</tr>
{%- endfor %}
</tbody></table></div>
<p>{{ text_helps }} {{ d.data.rows_with_profile | count }} of the {{ d.data.rows | count }} rows have a profile at
all.
To withhold the profile from a scorer that learnt to use it shows what it leans on; only a scorer fitted without shows
what text is worth.</p>

<h2>Groups</h2>
{%- if not d.fairness.columns %}
<p>No column of groups was named (<code>--group COLUMN</code>), so nothing is said of fairness here.</p>
{%- else %}
<p>Selected means tier {{ d.fairness.selected_tiers | join(" or ") }}. A group selected at less than four fifths of the
rate of the group selected most is looked into (Uniform Guidelines on Employee Selection Procedures, 1978, 29 CFR
1607.4(D): a rule of thumb, no proof of anything). Different rates can be right, where groups do spend differently;
then calibration should be alike.
{%- if d.fairness.demonstration %} The shipped customers have no protected attribute. The columns here only
demonstrate the section: the month of the first order is real, category and language are simulated.{% endif %}</p>
{%- for column, found in d.fairness.columns.items() %}
<h3>{{ column }}</h3>
{%- for line in warnings[column] %}<p class="warn">{{ line }}</p>{% endfor %}
<figure>{{ plots.groups[column] }}<figcaption>Left, scores: percentiles 10, 25, 50, 75 and 90. Right, the share
selected with its 95 % interval; a cross is a group too small to compare. {{ captions[column] }}</figcaption></figure>
<div class="wide"><table>
<thead><tr><th>{{ column }}</th><th>users</th><th>rows</th><th>mean score</th><th>selected</th><th>of the highest</th>
<th>expected spend</th><th>actual spend</th><th>expected / actual</th></tr></thead>
<tbody>
{%- for name, row in found.groups.items() %}
<tr><td>{{ name }}</td><td>{{ row.users | count }}</td><td>{{ row.rows | count }}</td>
<td>{{ row.mean_score | number }}</td>
<td>{{ row.selection_rate | percent }}</td><td>{{ row.ratio | number }}</td><td>{{ row.expected_spend | number }}</td>
<td>{{ row.actual_spend | number }}</td><td>{{ row.calibration_ratio | number }}</td></tr>
{%- endfor %}
</tbody></table></div>
{%- endfor %}
{%- endif %}

<h2>Small changes to what was written</h2>
{%- if "skipped" in d.stability %}
<p>Not measured: {{ d.stability.skipped }}.</p>
{%- else %}
<figure>{{ plots.stability }}<figcaption>{{ stable }} Boxes: percentiles 5, 25, 50, 75 and 95 of
{{ d.stability.users | count }} users, each with all of their texts changed.</figcaption></figure>
<div class="wide"><table>
<thead><tr><th>change</th><th>texts</th><th>came out different</th><th>mean |difference|</th><th>largest</th>
<th>users who change tier</th><th>cosine of profiles</th></tr></thead>
<tbody>
{%- for kind, row in d.stability.kinds.items() %}
<tr><td>{{ kind | replace("_", " ") }}</td><td>{{ row.texts | count }}</td><td>{{ row.changed | percent }}</td>
<td>{{ row.mean_absolute | number }}</td><td>{{ row.largest | number }}</td><td>{{ row.tier_changed | percent }}</td>
<td>{{ row.cosine | number }}</td></tr>
{%- endfor %}
</tbody></table></div>
{%- endif %}

<h2>How this was made</h2>
<ul>
<li>Judged on: {{ d.data.description }}</li>
<li>Has the scorer seen these users? {{ {"none": "No", "certain": "Yes", "unknown": "Not known"}[d.data.overlap] }}:
{{ d.data.overlap_reason }}. Baselines and refits have not: they are fitted on {{ d.data.fitted_on.rows | count }} and
{{ d.ablation.fit_rows | count }} rows of {{ d.data.fitted_on.users | count }} users, {{ d.data.users_in_both }} of
them judged here.</li>
<li>The scorer was trained on: {{ d.artefact.data }}</li>
<li>The artefact is {{ d.artefact.bytes | count }} bytes. Fitting its kind once more took
{{ d.ablation.fit_seconds | number }} s on the machine that made this page.</li>
<li>The same rows, artefact and seed ({{ d.bootstrap.seed }}) give the same numbers, but for that time. All of them are
in <code>report.json</code>.</li>
</ul>
</body>
</html>
"""

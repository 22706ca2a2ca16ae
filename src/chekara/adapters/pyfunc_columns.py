"""Names of what the stock pyfunc model answers, apart so that scoring needs no MLflow."""

from __future__ import annotations

CONTRIBUTIONS = "contributions"  # parameter that asks for one column per feature
CONTRIBUTION_PREFIX = "contribution_"
OUTPUT_COLUMNS = ("margin", "item_margin", "probability", "interval_low", "interval_high", "expected_amount")
WARNINGS = "warnings"

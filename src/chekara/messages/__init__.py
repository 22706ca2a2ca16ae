"""The message catalogue: every text that a person reads, in English, Russian and Kyrgyz."""

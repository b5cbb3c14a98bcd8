"""The nouns: records without I/O and without a clock."""

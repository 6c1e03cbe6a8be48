"""Results of protocols as text, tables, charts and plots."""

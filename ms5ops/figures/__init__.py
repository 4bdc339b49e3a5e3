"""Figures: records in, plotly figures (or SVG) out. Shown by the pages and put into reports; no streamlit here."""

"""Files that attack whoever loads them, and files that do not, made by code."""

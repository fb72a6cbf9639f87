"""Writes the page of the scanner's rules, `docs/scan-rules.md`, from the rules in the code.

python -m tools.scan_rules
"""

from pathlib import Path

from allmende.scan import RULE_SET, RULES, catalogue_page

PAGE = Path(__file__).resolve().parent.parent / "docs" / "scan-rules.md"

if __name__ == "__main__":
    PAGE.write_text(catalogue_page(RULES.values(), RULE_SET), "utf-8")
    print(f"{len(RULES)} rules in {PAGE.name}")

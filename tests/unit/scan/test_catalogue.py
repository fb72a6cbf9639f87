"""The page of rules, as it is made."""

import re

from allmende.scan import RULE_SET, RULES, Severity, catalogue_page


def test_the_page_names_every_rule_once_under_its_severity() -> None:
    sections = re.split(r"^## ", catalogue_page(RULES.values(), RULE_SET), flags=re.MULTILINE)[1:]
    order = [severity.word for severity in sorted(Severity, reverse=True)]
    assert [section.partition("\n")[0].lower() for section in sections] == [
        word for word in order if any(rule.severity.word == word for rule in RULES.values())
    ]
    listed = {
        rule_id: section.partition("\n")[0].lower()
        for section in sections
        for rule_id in re.findall(r"^### `(.+)`$", section, flags=re.MULTILINE)
    }
    assert listed == {rule.id: rule.severity.word for rule in RULES.values()}

"""The law pack that comes with the program, and packs that do not hold together."""

import re
import shutil
from pathlib import Path

import pytest

from allmende.law import (
    ImpossiblePack,
    LawPackMissing,
    languages,
    law_pack,
    law_pack_versions,
    pack_reading,
    read_pack,
    wording_in,
)
from allmende.law.wording import _messages

FOLDER = Path(pack_reading.__file__).with_name("packs") / "2026-11-22"
ROOM = Path(pack_reading.__file__).parent


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(FOLDER, tmp_path / "pack"))


def change(path: Path, before: str, after: str) -> None:
    text = path.read_text("utf-8")
    assert before in text
    path.write_text(text.replace(before, after, 1), "utf-8")


def test_the_pack_is_the_newest_and_says_what_it_is() -> None:
    pack = law_pack()
    assert law_pack_versions()[-1] == pack.version == "2026-11-22"
    assert pack is law_pack()
    assert (pack.valid_from.isoformat(), pack.checked_on.isoformat()) == ("2026-07-27", "2026-11-22")
    assert re.fullmatch("[0-9a-f]{64}", pack.digest)


def test_a_pack_that_there_is_not() -> None:
    with pytest.raises(LawPackMissing, match="1999"):
        law_pack("1999-01-01")


def test_every_rule_has_article_source_date_and_confidence() -> None:
    pack = law_pack()
    assert set(pack.listing) == {rule.id for rule in pack.rules}
    for rule in pack.rules:
        assert re.search(r"Art\. \d|Annex|[Rr]ecital|[Gg]uidelines", rule.article), rule.id
        assert rule.sources
        assert rule.timing in pack.timings
        assert rule.says.endswith("."), rule.id
        if rule.kind == "duty":
            assert rule.who
        # What no binding source supports is guidance and says so.
        assert not rule.binding or any(pack.sources[source].binding for source in rule.sources), rule.id


def test_duties_are_told_of_roles_that_have_a_word() -> None:
    words = _messages("en")
    assert all(f"who.{role}" in words for rule in law_pack().rules for role in rule.who)
    assert all(f"section.{rule.section}" in words for rule in law_pack().rules)


def test_languages_have_the_same_keys_and_the_same_places_for_values() -> None:
    english = _messages("en")
    assert languages()[0] == "en"
    assert "de" in languages()
    for language in languages():
        told = _messages(language)
        assert told.keys() == english.keys()
        for key, sentence in told.items():
            assert set(re.findall(r"\{\w+\}", sentence)) <= set(re.findall(r"\{\w+\}", english[key])), key
        assert wording_in(language, law_pack()).language == language


def test_nothing_is_ever_called_what_only_a_court_could_say() -> None:
    said = [*ROOM.rglob("*.yaml"), *ROOM.rglob("*.py")]
    # "Konformitätsbewertung" and "conformity assessment" are names of procedures.
    judged = re.compile(r"complian(?:t|ce)|(?:rechts|gesetzes|regel)konform|\bkonform\b", re.IGNORECASE)
    assert {
        path.name: judged.findall(path.read_text("utf-8"))
        for path in said
        if judged.search(path.read_text("utf-8"))
    } == {}


def test_a_change_of_a_sentence_changes_the_digest_and_no_rule(folder: Path) -> None:
    change(folder / "10-scope.yaml", "The Act applies.", "The Act holds.")
    changed, pack = read_pack(folder), law_pack()
    assert changed.digest != pack.digest
    assert changed.rule_digests == pack.rule_digests


def test_a_change_of_a_condition_changes_the_digests_of_all_that_rests_on_it(folder: Path) -> None:
    change(
        folder / "30-high-risk.yaml", "system.purposes has emergency_triage", "system.purposes has migration"
    )
    changed, pack = read_pack(folder), law_pack()
    moved = {id_ for id_ in pack.rule_digests if changed.rule_digests[id_] != pack.rule_digests[id_]}
    assert {"annex-iii-5d", "annex-iii", "high-risk", "art-9", "art-27", "open-source-out"} <= moved
    assert not moved & {"annex-iii-5b", "is-ai-system", "prohibited-any", "gpai"}


@pytest.mark.parametrize(
    ("file", "before", "after", "code"),
    [
        (
            "10-scope.yaml",
            "    when: system.infers\n",
            "    when: system.infers\n    unless: x.y\n",
            "key_unknown",
        ),
        ("10-scope.yaml", "    when: system.infers\n", "", "key_missing"),
        ("10-scope.yaml", "when: system.infers\n", "when: system.infers or\n", "not_a_condition"),
        ("10-scope.yaml", "when: system.infers\n", "when: system.thinks\n", "fact_unknown"),
        ("10-scope.yaml", "when: system.infers\n", "when: system.stage\n", "fact_unfit"),
        ("10-scope.yaml", "when: system.infers\n", "when: model.narrow_task\n", "fact_elsewhere"),
        ("10-scope.yaml", "when: system.infers\n", "when: system.stage is old\n", "word_unknown"),
        ("10-scope.yaml", "when: system.infers\n", "when: no-such-rule\n", "rule_unknown"),
        ("10-scope.yaml", "when: system.infers\n", "when: gpai\n", "rule_unknown"),
        ("10-scope.yaml", "when: system.infers\n", "when: in-scope\n", "rules_in_a_circle"),
        ("10-scope.yaml", "when: system.infers\n", "when: open nothing\n", "question_unknown"),
        ("10-scope.yaml", "sources: [ai-act]", "sources: [rumour]", "name_unknown"),
        ("10-scope.yaml", "sources: [ai-act]", "sources: []", "source_missing"),
        ("10-scope.yaml", "timing: scope", "timing: someday", "name_unknown"),
        ("10-scope.yaml", "confidence: C", "confidence: A", "not_among"),
        ("10-scope.yaml", "section: scope", "section: scope\nauthor: me", "key_unknown"),
        ("10-scope.yaml", "  in-territory:", "  is-ai-system:", "yaml_refused"),
        ("20-prohibited.yaml", "  prohibited-any:", "  is-ai-system:", "rule_twice"),
        ("61-duties-deployer.yaml", "evidence: [oversight_assignment]", "evidence: [faith]", "name_unknown"),
        ("70-fines.yaml", "percent: 7", "percent: seven", "not_a_number"),
        ("timings.yaml", "from: 2025-02-02", "from: 2025-02-30", "not_a_day"),
        ("timings.yaml", "- {from: 2025-02-02, article: Art. 113(a), confidence: C}", "[]", "timing_open"),
        ("facts.yaml", "kind: choice\n", "kind: colour\n", "not_among"),
        ("facts.yaml", "words: [union, third_country]\n", "words: []\n", "words_missing"),
        ("open.yaml", "source: omnibus", "source: rumour", "source_unknown"),
        ("pack.yaml", "summary: [in-scope,", "summary: [no-such-rule,", "rule_unknown"),
        ("pack.yaml", "binding: true", "binding: maybe", "not_a_flag"),
        ("licences.yaml", "free: free", "free: gratis", "not_among"),
        ("texts/de.yaml", "  act-applies: Die Verordnung gilt.\n", "", "text_missing"),
        ("texts/de.yaml", "  act-applies:", "  act-holds:", "text_unused"),
    ],
)
def test_a_pack_that_does_not_hold_together_is_refused(
    folder: Path, file: str, before: str, after: str, code: str
) -> None:
    change(folder / file, before, after)
    with pytest.raises(ImpossiblePack) as caught:
        read_pack(folder)
    assert code in {problem.code for problem in caught.value.problems}
    assert str(caught.value)


@pytest.mark.parametrize("name", ["pack.yaml", "facts.yaml", "timings.yaml", "licences.yaml"])
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(ImpossiblePack, match=re.escape(name)):
        read_pack(folder)


def test_an_open_question_that_no_rule_names_is_refused(folder: Path) -> None:
    change(folder / "80-model-class.yaml", " and open repeated-modifications", "")
    with pytest.raises(ImpossiblePack, match="No rule names this open question"):
        read_pack(folder)

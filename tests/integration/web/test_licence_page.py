"""The page of what a licence rests on: the card's words and lines, texts in the repo, and the reading."""

from allmende.flows import Services
from tests.integration.web.conftest import Person
from tests.integration.web.filled import commit, examine_all, new_repo
from tests.integration.web.reading import Reading, shows, words

MIT = b"MIT License\n\nPermission is hereby granted, free of charge, to any person obtaining a copy of this\n"


def publish(services: Services, name: str, licence: str, files: dict[str, bytes]) -> None:
    owner = name.partition("/")[0]
    new_repo(services, owner, name)
    card = f"---\ntags: [x]\n{licence}\n---\n# A model\n".encode()
    commit(services, owner, "model", name, {"README.md": card} | files, "one")
    examine_all(services)


def test_the_statement_leads_to_the_words_the_lines_and_the_texts(
    services: Services, stranger: Person
) -> None:
    publish(services, "bob/licensed", "license: mit", {"LICENSE": MIT})
    page = Reading(stranger.open("/bob/licensed").text)
    (address,) = {one for _tag, one, _all in page.addresses() if "/licence/" in one}
    answer = stranger.open(address)
    assert answer.status_code == 200
    text = words(answer.text)
    assert "SPDX MIT Class permissive" in text
    assert "yes permissive (the text was read, or two readings agree)" in text
    assert 'href="/bob/licensed/blob/main/README.md#L3"' in answer.text
    assert "recognised as mit, line 3" in text
    assert shows(answer.text, "licence_page.agrees")


def test_a_text_of_another_licence_is_told(services: Services, stranger: Person) -> None:
    publish(services, "bob/two-minds", "license: apache-2.0", {"LICENSE": MIT})
    assert shows(stranger.open("/bob/two-minds/licence/main").text, "licence_page.differs")


def test_unknown_and_absent_licences_are_said_to_be_so(services: Services, stranger: Person) -> None:
    publish(services, "bob/odd-words", "license: other\nlicense_name: my-<b>own", {"LICENSE": b"All mine.\n"})
    page = stranger.open("/bob/odd-words/licence/main").text
    assert "<b>own" not in page
    for key in ("licence_page.no_spdx", "licence_page.no_class", "licence_page.no_reading"):
        assert shows(page, key), key
    assert shows(page, "licence_page.not_recognised")
    assert not shows(page, "licence_page.differs")


def test_behind_a_gate_the_lines_are_not_shown(services: Services, stranger: Person, alice: Person) -> None:
    assert shows(stranger.open("/alice/gated-crane/licence/main").text, "licence_page.no_lines")
    assert stranger.open("/alice/secret-owl/licence/main").status_code == 404
    assert alice.open("/alice/secret-owl/licence/main").status_code == 200


def test_the_reason_is_said_in_the_reader_s_language(services: Services, stranger: Person) -> None:
    publish(services, "bob/llama", "license: llama3.2", {})
    page = words(stranger.open("/bob/llama/licence/main", **{"Accept-Language": "de"}).text)
    assert "Schwelle der Nutzerzahl und Ausschluss von Gebieten" in page
    assert "threshold" not in page
    english = words(stranger.open("/bob/llama/licence/main").text)
    assert "threshold of users, and territories left out" in english

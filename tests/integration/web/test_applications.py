"""The pages of applications: the try-out, the guided form, the register."""

import html
import json
import re
import zlib

from sqlalchemy import text as sql

from allmende.flows import Services
from tests.integration.web.conftest import Person
from tests.integration.web.reading import words
from tests.unit.law.described import BASES, document

STATE = re.compile(r'name="state" value="([^"]*)"')
ASKED = re.compile(r'name="(one|many):([^"]+)"')


def state_in(text: str) -> str:
    found = STATE.search(text)
    assert found is not None
    return html.unescape(found[1])


def begun(person: Person, models: str = "alice/heron-small\nelsewhere/model") -> str:
    answer = person.send("/assess", {"name": "Bird counter", "models": models})
    assert answer.status_code == 200, answer.text
    return answer.text


def go_on(person: Person, text: str, path: str = "/assess", **answers: str) -> str:
    answer = person.send(path, {"state": state_in(text), "act": "next", **answers})
    assert answer.status_code == 200, answer.text
    return answer.text


def test_a_stranger_tries_it_out_and_nothing_is_kept(stranger: Person) -> None:
    assert stranger.open("/assess").status_code == 200
    text = begun(stranger)
    assert "<script" not in text
    asked = {html.unescape(key) for _kind, key in ASKED.findall(text)}
    assert asked
    key = min(asked)
    after = go_on(stranger, text, **{f"one:{key}": "yes"})
    fact = key.partition("|")[2]
    group, _, word = fact.partition(".")
    assert json.loads(state_in(after))["description"][group][word] is True
    again = stranger.send("/assess", {"state": state_in(after), "act": f"again:{key}"})
    assert f"one:{html.escape(key)}" in again.text or f"one:{key}" in again.text
    assert "not legal advice" in after
    saved = stranger.send(
        "/assess", {"state": state_in(after), "act": "save", "namespace": "alice", "short": "x"}
    )
    assert saved.status_code == 401
    assert "Bird counter" not in stranger.open("/applications").text


def test_every_question_can_be_passed_over_until_nothing_is_asked(stranger: Person) -> None:
    text = begun(stranger, "")
    seen: set[str] = set()
    for _step in range(60):
        asked = {html.unescape(key) for _kind, key in ASKED.findall(text)}
        if not asked:
            break
        assert not asked & seen, "nothing is asked twice"
        seen |= asked
        form = {f"{kind}:{html.unescape(key)}": "unknown" for kind, key in ASKED.findall(text)}
        text = go_on(stranger, text, **form)
    else:
        raise AssertionError("it never ends")
    assert len(seen) > 5
    assert "Nothing more is asked" in text


def test_every_line_is_shown_to_who_asks_for_it(stranger: Person) -> None:
    text = begun(stranger)
    assert "law-lines" not in text
    answer = stranger.send("/assess", {"state": state_in(text), "act": "lines"})
    assert answer.status_code == 200
    assert "law-lines" in answer.text
    assert state_in(answer.text) == state_in(text)


def test_answers_that_contradict_are_asked_again(stranger: Person) -> None:
    text = begun(stranger)
    wrong = go_on(stranger, text, **{"one:application|dates.first_placed": "2026-02-31"})
    assert "dates.first_placed" in wrong
    assert "no day of the calendar" in wrong
    assert "dates" not in json.loads(state_in(wrong))["description"]


def test_an_application_is_kept_shown_changed_and_deleted(alice: Person, stranger: Person) -> None:
    text = begun(alice)
    ticks = {
        "many:application|system.purposes": "1",
        "tick:application|system.purposes|creditworthiness": "on",
    }
    text = go_on(alice, text, **ticks, **{"one:application|system.infers": "yes"})
    made = alice.send(
        "/assess",
        {
            "state": state_in(text),
            "act": "save",
            "namespace": "alice",
            "short": "counter",
            "visibility": "private",
        },
    )
    assert (made.status_code, made.headers["location"]) == (303, "/applications/alice/counter")
    path = "/applications/alice/counter"
    assert stranger.open(path).status_code == 404
    shown = alice.open(path)
    assert shown.status_code == 200
    for word in (
        "alice/heron-small",
        "apache-2.0",
        "not on this hub",
        "creditworthiness",
        "not legal advice",
    ):
        assert word in shown.text or word == "creditworthiness", word
    assert "compliant" not in shown.text.lower()
    german = alice.open(f"{path}?lang=de").text
    assert "Was folgt" in german
    assert "Hochrisiko" in german
    alice.open(f"{path}?lang=en")
    edit = alice.open(f"{path}/edit").text
    assert json.loads(state_in(edit))["description"]["system"]["purposes"] == ["creditworthiness"]
    fields = {"state": state_in(edit), "act": "save", "replaces": "1"}
    assert alice.send(f"{path}/edit", fields).status_code == 303
    assert alice.send(f"{path}/edit", fields).status_code == 412
    assert alice.send(path, {"act": "show"}).status_code == 303
    assert stranger.open(path).status_code == 200
    assert "counter" in stranger.open("/applications").text
    assert stranger.send(path, {"act": "delete", "name": "alice/counter"}).status_code == 401
    assert stranger.open(f"{path}/edit").status_code == 401
    assert alice.send(path, {"act": "delete", "name": "alice/other"}).status_code == 400
    assert alice.send(path, {"act": "delete", "name": "alice/counter"}).status_code == 303
    assert alice.open(path).status_code == 404


def test_forms_of_elsewhere_and_forms_that_were_tampered_with_are_refused(
    alice: Person, services: Services
) -> None:
    foreign = {"Origin": "https://evil.example"}
    assert alice.send("/assess", {"name": "x"}, headers=foreign).status_code == 403
    for state in ("", "[]", "{}", '{"description": {"schema": "x"}, "skipped": []}', "{" * 50):
        answer = alice.send("/assess", {"state": state, "act": "next"})
        assert answer.status_code == 400, state
    assert alice.send("/assess", {"name": " ", "models": ""}).status_code == 400
    assert alice.send("/assess", {"name": "x", "models": "\n".join(map(str, range(30)))}).status_code == 400
    assert alice.open("/applications/new").status_code == 200


def test_a_description_that_the_law_of_now_refuses_is_asked_for_again(
    alice: Person, services: Services
) -> None:
    path = "/applications/alice/old"
    facts = {**BASES["both"], **BASES["fine_tune"]}
    fields = {"act": "save", "namespace": "alice", "short": "old", "visibility": "private"}
    state = json.dumps({"description": document(facts), "skipped": []})
    assert alice.send("/assess", {"state": state, **fields}).status_code == 303
    old = document({**facts, "system.infers": "perhaps", "system.colour": "red", "model.gone": "yes"})
    old["guild"] = {"word": "yes"}
    with services.database.write() as uow:
        uow.execute(sql("UPDATE application_version SET description = :it"), {"it": json.dumps(old)})
    edit = alice.open(f"{path}/edit")
    assert edit.status_code == 200
    assert "The law has been read anew" in edit.text
    assert "is no key here" in edit.text
    left = json.loads(state_in(edit.text))["description"]
    assert "infers" not in left["system"]
    assert "guild" not in left
    assert left["operator"] == document(facts)["operator"], "what still holds is kept"
    assert "gone" not in left["models"][0]
    assert len(left["models"][0]) == len(document(facts)["models"][0])
    saved = {"state": state_in(edit.text), "act": "save", "replaces": "1"}
    assert alice.send(f"{path}/edit", saved).status_code == 303
    with services.database.write() as uow:
        refused = zlib.compress(json.dumps(old).encode())
        uow.execute(sql("UPDATE application_assessment SET inputs = :it"), {"it": refused})
    page = alice.open(path)
    assert page.status_code == 200
    assert "can be assessed again when these are answered" in page.text


def test_a_number_near_a_threshold_shows_two_branches_on_the_page(stranger: Person) -> None:
    facts = {**BASES["both"], **BASES["fine_tune"], "model.modification_flop": 3e23}
    state = json.dumps({"description": document(facts), "skipped": []})
    told = stranger.send("/assess", {"state": state, "act": "next"}).text
    assert "Two branches at a threshold" in told
    rows = told[told.index("Two branches at a threshold") :]
    assert "<td>no</td><td>YES</td>" in rows


def test_choices_and_what_is_wrong_are_told_in_german(stranger: Person) -> None:
    stranger.open("/assess?lang=de")
    facts = {**BASES["both"]}
    del facts["system.purposes"]
    state = json.dumps({"description": document(facts), "skipped": []})
    told = stranger.send("/assess", {"state": state, "act": "next"}).text
    assert "<span>Kreditwürdigkeit</span>" in told
    wrong = {"state": state, "act": "next", "one:application|dates.first_placed": "2026-02-31"}
    assert "Der Wert passt nicht zu dieser Frage." in stranger.send("/assess", wrong).text


def test_the_page_of_a_model_leads_to_the_guide_with_its_name(alice: Person) -> None:
    page = alice.open("/alice/heron-small").text
    address = "/assess?model=alice%2Fheron-small"
    assert f'href="{address}"' in page or f'href="{address.replace("%2F", "/")}"' in page
    begun = alice.open(address).text
    assert "alice/heron-small</textarea>" in begun
    assert "Nothing of this is kept" not in words(begun)
    odd = alice.open("/assess?model=%3C/textarea%3E%3Cscript%3Ealert(1)%3C/script%3E").text
    assert "<script>alert" not in odd

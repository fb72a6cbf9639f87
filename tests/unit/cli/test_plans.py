"""Documents of `admin apply`: what is understood, and where what is not understood stands."""

import pytest

from allmende.flows import PlanInvalid, read_plan


def test_everything_that_may_be_said() -> None:
    plan = read_plan(
        {
            "users": [
                {"name": "ada", "fullname": "Ada", "token": "s", "token_name": "t", "token_role": "admin"}
            ],
            "orgs": [
                {
                    "name": "lab",
                    "fullname": "Lab",
                    "members": {"ada": "read"},
                    "default_visibility": "private",
                }
            ],
        }
    )
    (user,), (org,) = plan.users, plan.orgs
    assert (user.name, user.fullname, user.token, user.token_name, user.token_role) == (
        "ada",
        "Ada",
        "s",
        "t",
        "admin",
    )
    assert (org.name, org.fullname, dict(org.members), org.default_visibility) == (
        "lab",
        "Lab",
        {"ada": "read"},
        "private",
    )


def test_only_names_are_needed() -> None:
    plan = read_plan({"users": [{"name": "ada"}], "orgs": [{"name": "lab"}]})
    assert (plan.users[0].token, plan.users[0].token_name, plan.users[0].token_role) == (
        None,
        "default",
        "write",
    )
    assert plan.orgs[0].members == {}
    assert read_plan({}).users == ()
    assert read_plan({"users": None}).users == ()


@pytest.mark.parametrize(
    ("document", "place"),
    [
        (None, "the document"),
        ([], "the document"),
        ({"user": []}, "user:"),
        ({"users": {}}, "users:"),
        ({"users": ["ada"]}, "users[0]:"),
        ({"users": [{"fullname": "Ada"}]}, "users[0].name:"),
        ({"users": [{"name": 123}]}, "users[0].name:"),
        ({"users": [{"name": ""}]}, "users[0].name:"),
        ({"users": [{"name": "ada"}, {"name": "bob", "tokn": "x"}]}, "users[1].tokn:"),
        ({"users": [{"name": "ada", "token": 7}]}, "users[0].token:"),
        ({"users": [{"name": "ada", "token_role": "owner"}]}, "users[0].token_role:"),
        ({"users": [{"name": "ada", "token_role": ["admin"]}]}, "users[0].token_role:"),
        ({"users": [{"name": "ada"}, {"name": "ADA"}]}, "'ADA'"),
        ({"users": [{"name": "ada"}], "orgs": [{"name": "ada"}]}, "'ada'"),
        ({"orgs": [{"name": "lab", "members": ["ada"]}]}, "orgs[0].members:"),
        ({"orgs": [{"name": "lab", "members": {"ada": "boss"}}]}, "orgs[0].members.ada:"),
        ({"orgs": [{"name": "lab", "members": {True: "read"}}]}, "orgs[0].members:"),
        ({"orgs": [{"name": "lab", "default_visibility": "hidden"}]}, "orgs[0].default_visibility:"),
        ({"orgs": [{"name": "lab", "default_visibility": ["x"]}]}, "orgs[0].default_visibility:"),
        ({1: 2}, "1:"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(document: object, place: str) -> None:
    with pytest.raises(PlanInvalid) as caught:
        read_plan(document)
    assert place in caught.value.message

import pytest


@pytest.fixture
def shelf(hub, clock):
    """Five models of several owners, one of them private, each a second younger than the one before."""
    for name, card in (
        (
            "alice/bert-tiny",
            "license: mit\npipeline_tag: fill-mask\nlibrary_name: transformers\nlanguage: de",
        ),
        ("alice/bert-large", "license: apache-2.0\npipeline_tag: fill-mask\nlibrary_name: transformers"),
        ("bob/t5", "license: mit\ntags: [tiny, summary]"),
        ("lab/secret", "license: mit"),
        ("lab/open", "license: mit\ndatasets: [alice/text]"),
    ):
        clock.advance(seconds=1)
        by = "bob" if name.startswith("bob") else "alice"
        api = hub.create(name, by=by, private=name == "lab/secret")
        hub.commit(api, {"README.md": f"---\n{card}\n---\n".encode()}, by=by)
    return "/api/models"


def names(answer):
    assert answer.status_code == 200, answer.text
    return [item["id"].partition("/")[2] for item in answer.json()]


def test_the_newest_come_first_and_private_ones_only_for_those_who_may_see_them(hub, shelf):
    assert names(hub.get(shelf)) == ["open", "t5", "bert-large", "bert-tiny"]
    assert names(hub.get(shelf, by="bob")) == ["open", "t5", "bert-large", "bert-tiny"]
    assert names(hub.get(shelf, by="rea")) == ["open", "secret", "t5", "bert-large", "bert-tiny"]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("author=ALICE", ["bert-large", "bert-tiny"]),
        ("search=bert", ["bert-large", "bert-tiny"]),
        ("search=bert&search=tiny", ["bert-tiny"]),
        ("search=bert tiny", ["bert-tiny"]),
        ("search=%25", []),
        ("filter=license:mit", ["open", "t5", "bert-tiny"]),
        ("filter=license:mit&filter=tiny", ["t5"]),
        ("filter=license:mit,summary", ["t5"]),
        ("filter=fill-mask", ["bert-large", "bert-tiny"]),
        ("filter=dataset:alice/text", ["open"]),
        ("pipeline_tag=fill-mask&language=de", ["bert-tiny"]),
        ("library=transformers&license=apache-2.0", ["bert-large"]),
        ("gated=true", []),
        ("gated=false&author=bob", ["t5"]),
        ("sort=createdAt&direction=1&limit=2", ["bert-tiny", "bert-large"]),
        ("sort=lastModified", ["open", "t5", "bert-large", "bert-tiny"]),
        ("sort=downloads", ["open", "t5", "bert-large", "bert-tiny"]),
        ("author=nobody", []),
    ],
)
def test_filters_and_order(hub, shelf, query, found):
    assert names(hub.get(f"{shelf}?{query}")) == found


@pytest.mark.parametrize("sort", ["createdAt", "lastModified", "downloads"])
@pytest.mark.parametrize("direction", [1, -1])
def test_pages_follow_each_other_without_gap_or_repetition(hub, shelf, sort, direction):
    whole = names(hub.get(f"{shelf}?sort={sort}&direction={direction}", by="rea"))
    seen = []
    url = f"{shelf}?sort={sort}&direction={direction}&limit=2"
    while url:
        answer = hub.get(url, by="rea")
        seen += names(answer)
        url = answer.links.get("next", {}).get("url")
        assert url is None or url.startswith("http://testserver/api/models?")
    assert seen == whole
    assert len(seen) == 5


def test_items_say_more_when_they_are_asked_to(hub, shelf):
    item = hub.get(f"{shelf}?author=bob").json()[0]
    assert {"_id", "id", "modelId", "author", "sha", "createdAt", "tags", "downloads", "private"} <= set(item)
    assert "siblings" not in item
    full = hub.get(f"{shelf}?author=bob&full=true").json()[0]
    assert [file["rfilename"] for file in full["siblings"]] == [".gitattributes", "README.md"]
    assert full["cardData"]["license"] == "mit"
    assert hub.get(f"{shelf}?author=bob&cardData=True").json()[0]["cardData"]["tags"] == ["tiny", "summary"]
    expanded = hub.get(f"{shelf}?author=bob&expand=sha&expand[]=author").json()[0]
    assert set(expanded) == {"_id", "id", "modelId", "sha", "author"}


@pytest.mark.parametrize(
    "query",
    [
        "sort=likes",
        "sort=trendingScore",
        "num_parameters=min:1B",
        "apps=vllm",
        "inference=warm",
        "inference_provider=all",
    ],
)
def test_what_would_make_a_wrong_list_is_not_offered(hub, says, query):
    says(hub.get(f"/api/models?{query}"), 501, "not_offered")
    says(hub.call("HEAD", f"/api/models?{query}"), 501, "not_offered")


@pytest.mark.parametrize(
    "query",
    [
        "sort=name",
        "direction=up",
        "limit=0",
        "limit=x",
        "limit=-1",
        "gated=perhaps",
        "cursor=!",
        "cursor=WzFd",
        "cursor=WzEsImEiXQ",
        "cursor=Wzk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5LDFd",
        "cursor=WzQ2MTE2ODYwMTg0MjczODc5MDMsMV0",
        "expand=nonsense",
        "&".join(["filter=a"] * 50),
        "filter=" + "a" * 3000,
    ],
)
def test_malformed_questions(hub, query):
    answer = hub.get(f"/api/models?{query}")
    assert answer.status_code == 400
    assert answer.headers["x-error-code"].endswith("_invalid")


def test_a_bad_token_is_told_and_not_ignored(hub, says):
    says(hub.get("/api/models", by="nobody"), 401, "credentials_invalid")


def test_datasets_as_stock_clients_filter_them(hub):
    hub.commit(
        hub.create("alice/text", type="dataset"),
        {"README.md": b"---\nlanguage: [de, en]\ntask_categories: [question-answering]\nlicense: mit\n---\n"},
    )
    hub.create("alice/other", type="dataset")
    for query in (
        "filter=language:de&filter=task_categories:question-answering",
        "filter=license:mit",
        "task_categories=question-answering",
        "search=te&search=xt",
    ):
        assert names(hub.get(f"/api/datasets?{query}")) == ["text"]


def test_spaces_by_what_they_use(hub):
    hub.commit(
        hub.create("alice/demo", type="space", sdk="static"),
        {"README.md": b"---\nsdk: static\nmodels: [alice/mm]\ndatasets: [alice/text, bob/text]\n---\n"},
    )
    hub.create("alice/empty", type="space", sdk="static")
    for query in ("linked=true", "models=alice/mm", "datasets=alice/text&datasets=bob/text", "filter=static"):
        assert names(hub.get(f"/api/spaces?{query}")) == ["demo"]
    assert names(hub.get("/api/spaces?models=bob/none")) == []
    assert names(hub.get("/api/spaces?filter=model:alice/mm")) == []
    assert "model:alice/mm" not in hub.get("/api/spaces/alice/demo").json()["tags"]


def test_tags_by_type_are_those_of_visible_repos(hub):
    hub.commit(hub.create("alice/mm"), {"README.md": b"---\nlicense: mit\npipeline_tag: fill-mask\n---\n"})
    hub.commit(hub.create("lab/mm", private=True), {"README.md": b"---\ntags: [hidden]\n---\n"})
    told = hub.get("/api/models-tags-by-type").json()
    assert told["license"] == [{"id": "license:mit", "label": "mit", "type": "license"}]
    assert [tag["id"] for tag in told["pipeline_tag"]] == ["fill-mask"]
    assert "other" not in told
    assert hub.get("/api/models-tags-by-type", by="rea").json()["other"][0]["id"] == "hidden"
    assert hub.get("/api/datasets-tags-by-type").json() == {}

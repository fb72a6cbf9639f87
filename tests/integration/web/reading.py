"""Reading a page as a browser does: its elements, their attributes, and the text between them."""

from html.parser import HTMLParser

from allmende.web.messages import catalogue

BLOCKS = {"td", "th", "tr", "dt", "dd", "li", "p", "h1", "h2", "h3", "h4", "br", "div", "summary"}


class Reading(HTMLParser):
    """Every element of a page, in order, with what it links to and loads."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in BLOCKS:
            self.text += " "
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_data(self, data: str) -> None:
        self.text += data

    def addresses(self) -> list[tuple[str, str, dict[str, str]]]:
        """`(tag, address, all attributes)` of everything that leads or loads."""
        return [
            (tag, attributes[name], attributes)
            for tag, attributes in self.elements
            for name in ("href", "src", "action", "formaction", "data", "poster", "srcset", "background")
            if name in attributes
        ]

    def tags(self) -> set[str]:
        return {tag for tag, _attributes in self.elements}

    def attribute_names(self) -> set[str]:
        return {name for _tag, attributes in self.elements for name in attributes}


def words(page: str) -> str:
    """The text of a page, its blanks evened out."""
    return " ".join(Reading(page).text.split())


def shows(page: str, key: str) -> bool:
    """Whether a page says an English message."""
    return catalogue("en")(key) in words(page)

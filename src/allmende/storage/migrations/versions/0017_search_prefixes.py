"""Words of one letter in a search: looked up, no longer gathered from every word that begins with it."""

from alembic import op

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    """Make the full-text table anew: SQLite changes none, and a prefix index is a part of one."""
    op.execute(
        "CREATE VIRTUAL TABLE search_words_anew USING fts5"
        '(tags, card, tokenize = "unicode61 remove_diacritics 2", prefix = "1")'
    )
    op.execute("INSERT INTO search_words_anew (rowid, tags, card) SELECT rowid, tags, card FROM search_words")
    op.execute("DROP TABLE search_words")
    op.execute("ALTER TABLE search_words_anew RENAME TO search_words")

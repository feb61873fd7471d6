"""How large a query becomes once its fragments stand where they are spread.

A fragment that spreads another twice, which spreads a third twice, is a few lines that mean
millions of fields. The rules that count fields walk all of them, so that such a query is measured
here first, each fragment once, as soon as it is parsed.
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Final

from graphql import (
    DocumentNode,
    ExecutableDefinitionNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    InlineFragmentNode,
    SelectionSetNode,
    parse,
)
from strawberry.extensions import SchemaExtension

# GraphiQL's introspection has 487; that fields of one level are compared takes quadratic time.
MAX_SELECTIONS: Final = 600

CACHED_QUERIES: Final = 128


class BoundedParser(SchemaExtension):
    """Parses each query text once, and refuses those that mean too much."""

    def on_parse(self) -> Iterator[None]:
        """Puts the document where Strawberry looks for it."""
        context = self.execution_context
        context.graphql_document = _parse(str(context.query), **context.parse_options)
        yield


def check_document(document: DocumentNode) -> None:
    """Bounds what all definitions hold once each spread is replaced by what it stands for.

    Raises:
        GraphQLError: they hold too much; a fragment is not defined, or spreads itself.
    """
    measured = _Measured(
        {
            node.name.value: node.selection_set
            for node in document.definitions
            if isinstance(node, FragmentDefinitionNode)
        }
    )
    total = sum(
        measured.size(node.selection_set)
        for node in document.definitions
        if isinstance(node, ExecutableDefinitionNode)
    )
    if total > MAX_SELECTIONS:
        raise GraphQLError("Too many fields, counted with their fragments.")


class _Measured:
    """The sizes of fragments, each measured once."""

    def __init__(self, fragments: dict[str, SelectionSetNode]) -> None:
        self._unmeasured = fragments
        self._sizes: dict[str, int] = {}

    def size(self, selections: SelectionSetNode | None) -> int:
        """Fields, spreads and inline fragments, with all that is below them."""
        if selections is None:
            return 0
        total = 0
        for selection in selections.selections:
            total += 1
            match selection:
                case FragmentSpreadNode():
                    total += self._fragment(selection.name.value)
                case FieldNode() | InlineFragmentNode():
                    total += self.size(selection.selection_set)
        return total

    def _fragment(self, name: str) -> int:
        if name not in self._sizes:
            # Taken out while it is measured, so that one that spreads itself is not found.
            selections = self._unmeasured.pop(name, None)
            if selections is None:
                raise GraphQLError("A fragment is not defined, or spreads itself.")
            self._sizes[name] = self.size(selections)
        return self._sizes[name]


@lru_cache(CACHED_QUERIES)
def _parse(query: str, **options: Any) -> DocumentNode:
    document = parse(query, **options)
    check_document(document)
    return document

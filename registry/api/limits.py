"""Limits on the shape of a request, checked before anything is executed.

They do not see variables: bulk work is charged by item count, in the services.
"""

from typing import Any

from graphql import (
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
    ValidationContext,
    ValidationRule,
)
from strawberry.extensions import (
    AddValidationRules,
    MaxAliasesLimiter,
    MaxTokensLimiter,
    QueryDepthLimiter,
    ValidationCache,
)

from registry.api.documents import CACHED_QUERIES, BoundedParser

# The largest query of our own client has 4 levels, 80 tokens and no alias.
MAX_DEPTH = 12  # introspection as GraphiQL sends it needs 11
MAX_ALIASES = 10
MAX_TOKENS = 1_000

# Fields at the top of one operation; each can cost a transaction, under an alias or not.
MAX_ROOT_FIELDS = 5

# Query texts are kept, parsed and validated. Bulk data belongs into variables: with it in the text
# the caches would fill with megabytes, and keep in memory what is to be forgotten.
MAX_QUERY_CHARACTERS = 8_192


class MaxRootFields(ValidationRule):
    """Refuses operations that ask for many things at once."""

    def __init__(self, context: ValidationContext) -> None:
        super().__init__(context)
        self._fragments = {
            node.name.value: node
            for node in context.document.definitions
            if isinstance(node, FragmentDefinitionNode)
        }

    def enter_operation_definition(self, node: OperationDefinitionNode, *_: object) -> None:
        """Counts the fields of an operation, those in fragments too."""
        if self._count(node.selection_set, frozenset()) > MAX_ROOT_FIELDS:
            self.report_error(GraphQLError("Too many fields at the top of one operation."))

    def _count(self, selection_set: SelectionSetNode, entered: frozenset[str]) -> int:
        total = 0
        for selection in selection_set.selections:
            if isinstance(selection, InlineFragmentNode):
                total += self._count(selection.selection_set, entered)
            elif isinstance(selection, FragmentSpreadNode):
                name = selection.name.value
                fragment = self._fragments.get(name)
                if fragment is not None and name not in entered:
                    total += self._count(fragment.selection_set, entered | {name})
            else:
                total += 1
            if total > MAX_ROOT_FIELDS:
                break
        return total


# Built once: the validation cache is keyed by these very classes, and would never hit if they were
# made anew for each request.
_RULES = [
    *QueryDepthLimiter(max_depth=MAX_DEPTH).validation_rules,
    *MaxAliasesLimiter(max_alias_count=MAX_ALIASES).validation_rules,
    MaxRootFields,
]

EXTENSIONS: list[Any] = [
    lambda: MaxTokensLimiter(max_token_count=MAX_TOKENS),
    lambda: AddValidationRules(_RULES),
    BoundedParser,
    lambda: ValidationCache(maxsize=CACHED_QUERIES),
]

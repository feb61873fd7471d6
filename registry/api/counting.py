"""Counts what is asked for and what is refused, by names of the schema and codes of ours."""

from collections.abc import Iterator
from typing import Any

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    InlineFragmentNode,
    SelectionSetNode,
    get_operation_ast,
)
from strawberry.extensions import SchemaExtension
from strawberry.types import ExecutionContext

from registry.api import masking
from registry.api.context import Context
from registry.metrics import OTHER


class Requests(SchemaExtension):
    """Counts the fields at the top of each request that is executed.

    Its document was validated before: every name is one of the schema, and no fragment is in
    itself. Aliases, which are the client's own words, are not looked at.
    """

    def on_execute(self) -> Iterator[None]:
        """Before anything is resolved."""
        execution = self.execution_context
        document = execution.graphql_document
        if isinstance(execution.context, Context) and document is not None:
            operation = get_operation_ast(document, execution.operation_name)
            fragments = {
                node.name.value: node.selection_set
                for node in document.definitions
                if isinstance(node, FragmentDefinitionNode)
            }
            metrics = execution.context.registry.metrics
            for name in _fields(operation.selection_set, fragments) if operation else ():
                metrics.asked(name)
        yield


def refused(info: Any, code: str) -> None:
    """Counts a refusal that is answered as a problem.

    Args:
        info: of the field whose resolver refused.
        code: of the problem.
    """
    if isinstance(info.context, Context):
        field = info.field_name if info.path.prev is None else OTHER
        info.context.registry.metrics.refused(field, code)


def failed(error: GraphQLError, execution: ExecutionContext | None) -> None:
    """Counts a top-level error, under the code that it leaves with."""
    if execution is None or not isinstance(execution.context, Context):
        return
    extensions = masking.outward(error).extensions or {}
    # A path comes from a resolver, so the field is of the schema; what was never resolved may be
    # named anything.
    field = masking.field_of(error) if error.path and len(error.path) == 1 else OTHER
    execution.context.registry.metrics.refused(field, str(extensions.get("code", OTHER)))


def _fields(selected: SelectionSetNode, fragments: dict[str, SelectionSetNode]) -> Iterator[str]:
    for selection in selected.selections:
        if isinstance(selection, FieldNode):
            if not selection.name.value.startswith("__"):  # introspection
                yield selection.name.value
        elif isinstance(selection, FragmentSpreadNode):
            yield from _fields(fragments[selection.name.value], fragments)
        elif isinstance(selection, InlineFragmentNode):
            yield from _fields(selection.selection_set, fragments)

"""Where a run comes from and what came of it: a graph, and sentences (spec 9.3)."""

from __future__ import annotations

from pipeline_widgets.domain.lineage import LineageNode
from pipeline_widgets.services.queries.lineage import LineageGraph
from pipeline_widgets.widgets.base import Row, View
from pipeline_widgets.widgets.encoding import encode, encode_fields


class LineageView(View):
    """A view that shows the lineage of runs."""

    def do_lineage(self, run: int) -> Row:
        """Return where a run comes from and what came of it."""
        return lineage_row(self._services.lineages.graph(run))


def lineage_row(graph: LineageGraph) -> Row:
    """Return the graph of a lineage, and the same in sentences."""
    found = graph.lineage
    return {
        "nodes": [_node_row(each, graph) for each in graph.nodes],
        "more": graph.more,
        "from": [f"{each.handed[:1].upper()}{each.handed[1:]} of {each.label}" for each in found.ancestors],
        "into": [f"{each.label}, from {each.handed}" for each in found.descendants],
        "depths": [str(each.depth) for each in found.descendants],
    }


def _node_row(node: LineageNode, graph: LineageGraph) -> Row:
    relative = node.relative
    status = None if relative.kind == "agent" else graph.statuses.get(relative.id)
    return {
        **encode_fields(relative, "kind", "id", "name", "number", "place", "label"),
        **encode_fields(node, "column", "row", "parent", "handed"),
        "here": node.is_subject,
        "status": encode(status),
        "stale": relative.kind != "agent" and relative.id in graph.stale,
        "pipeline": relative.pipeline_id,
        "stage": relative.stage_id,
        "experiment": relative.experiment_id,
    }

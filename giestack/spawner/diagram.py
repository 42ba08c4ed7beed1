"""Draws the life of a session: ``python -m giestack.spawner.diagram > docs/session.dot``."""

from collections import defaultdict

from giestack.spawner.lifecycle import STATES, TRANSITIONS

# What an inner state is called outside; the others are called the same.
SHOWN = {"restarting": "stopping", "deleting": "stopping", "failing": "failed"}
_OUTSIDE = ("new", "gone")


def dot() -> str:
    """The machine as a graph for Graphviz, the same text for the same machine."""
    lines = [
        "digraph session {",
        "  // Made by python -m giestack.spawner.diagram; dot -Tsvg draws it.",
        '  graph [rankdir=TB, fontname="sans-serif", bgcolor="white"];',
        '  node [shape=box, style="rounded,filled", fillcolor="#e8f0fa", fontname="sans-serif"];',
        '  edge [fontname="sans-serif", fontsize=10];',
    ]
    for state in STATES:
        shown = SHOWN.get(state.name)
        label = f"{state.name}\\n(shown: {shown})" if shown else state.name
        shape = ", shape=circle" if state.name in _OUTSIDE else ""
        lines.append(f'  {state.name} [label="{label}"{shape}];')
    arrows: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for arrow in TRANSITIONS:
        arrows[arrow.state, arrow.then].append(arrow.happened)
    for (state_name, then), happened in arrows.items():
        label = "\\n".join(happened)
        lines.append(f'  {state_name} -> {then} [label="{label}"];')
    return "\n".join([*lines, "}"]) + "\n"


if __name__ == "__main__":
    print(dot(), end="")

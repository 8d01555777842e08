"""``--output junit``: a test report. What blocks fails, what is unknown is an error, advice is skipped.

The elements are those that Jenkins, GitLab and GitHub's actions read in common; there is no standard.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import groupby
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from reconciler.model.report import Validation
from reconciler.model.result import Result, mode_of
from reconciler.output.clean import clean
from reconciler.output.note import Level, Note
from reconciler.output.notes import notes
from reconciler.output.options import Options
from reconciler.output.places import relative
from reconciler.output.words import iso


def render(result: Result, options: Options) -> str:
    """A suite for each subject, a case for each rule that was asked of it."""
    root = Element("testsuites", {"name": f"reconciler {mode_of(result)}"})
    found = sorted(notes(result), key=lambda note: note.subject)
    for subject, group in groupby(found, key=lambda note: note.subject):
        suite = SubElement(root, "testsuite", {"name": clean(subject)})
        if not isinstance(result, Validation):
            suite.set("timestamp", iso(result.started_at).removesuffix("Z"))
        for name, note in _named(group):
            suite.append(_case(name, note, options))
        _count(suite, suite)
    _count(root, root)
    indent(root)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{tostring(root, encoding="unicode")}\n'


def _named(group: Iterable[Note]) -> Iterator[tuple[str, Note]]:
    """A name for each case of a suite: the rule and the value that it judges, counted where it repeats."""
    seen: Counter[str] = Counter()
    for note in group:
        name = clean(f"{note.rule} {note.path}").strip()
        seen[name] += 1
        yield f"{name} ({seen[name]})" if seen[name] > 1 else name, note


def _case(name: str, note: Note, options: Options) -> Element:
    case = Element("testcase", {"classname": clean(note.subject), "name": name, "time": "0"})
    if note.mark:
        case.set("file", clean(relative(note.mark.file, options)))
        case.set("line", str(note.mark.line))
    if note.level is not Level.PASS:
        (message, *rest) = note.told()
        verdict = SubElement(case, _element(note), {"message": message, "type": clean(note.rule)})
        verdict.text = "\n".join((message, *rest))
    return case


def _element(note: Note) -> str:
    """A test report knows no warning: what stops nothing was skipped, with its reason."""
    if note.level is not Level.ERROR:
        return "skipped"
    return "error" if note.unknown else "failure"


def _count(element: Element, under: Element) -> None:
    cases = list(under.iter("testcase"))
    element.set("tests", str(len(cases)))
    for name, child in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        element.set(name, str(sum(case.find(child) is not None for case in cases)))
    element.set("time", "0")

"""How findings read on a screen: the blocking ones first, each with evidence, cause and fix."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from reconciler.model.finding import Finding, Severity, Verdict
from reconciler.output.clean import shortened
from reconciler.output.document import BLANK, Line, Role, Span, labelled
from reconciler.output.words import counted

#: An exchange may answer with a whole page of HTML; a screen shows its beginning.
LONGEST: Final = 600

#: Up to so many checks are named where they are folded into one line.
_FEW: Final = 3

#: Checks that say why nothing was read. Every other unknown beside them only follows from it.
ROOTS: Final = frozenset({"connection-test", "credentials-unreadable"})


def finding_lines(findings: Sequence[Finding], *, was_read: bool, verbose: bool) -> Iterator[Line]:
    """The findings of one subject, most pressing first; passes only where ``verbose`` or attested.

    What blocks has evidence, cause and fix; unless ``verbose``, advice is one line each, and what
    could not be answered is one line for all of it: so that nothing pressing is lost among it.
    """
    folded = () if verbose else foldable(findings, was_read=was_read)
    shown = [f for f in sorted(findings, key=_pressing) if f not in folded and _matters(f, verbose=verbose)]
    for before, finding in zip([None, *shown], shown, strict=False):
        if before is None or finding.blocks or _rank(before) != _rank(finding):
            yield BLANK
        if finding.blocks or (verbose and finding.verdict is not Verdict.PASS):
            yield from _told(finding)
        else:
            yield _brief(finding)
    if folded:
        yield BLANK
        yield _folded(folded, was_read=was_read)


def _matters(finding: Finding, *, verbose: bool) -> bool:
    return verbose or finding.verdict is not Verdict.PASS or finding.attested_by is not None


def foldable(findings: Iterable[Finding], *, was_read: bool) -> tuple[Finding, ...]:
    """Unknowns that ask nothing of anybody: advice, and what merely follows from an unread key."""
    held = tuple(findings)
    rooted = not was_read and any(f.check in ROOTS and f.verdict is not Verdict.PASS for f in held)
    unknown = (f for f in held if f.verdict is Verdict.UNKNOWN and f.waived_by is None)
    return tuple(f for f in unknown if (rooted and f.check not in ROOTS) or not f.blocks)


def _pressing(finding: Finding) -> tuple[int, bool, str, str]:
    return (_rank(finding), finding.verdict is Verdict.UNKNOWN, finding.check, finding.subject_id)


def _rank(finding: Finding) -> int:
    """0 for what blocks, 1 for advice and what is waived, 2 for what passed."""
    if finding.verdict is Verdict.PASS:
        return 2
    return 0 if finding.blocks else 1


def _word(finding: Finding) -> tuple[str, Role]:
    """The symbol and word of a verdict; unknown says so whether it blocks or not."""
    if finding.verdict is Verdict.PASS:
        return ("a attested", Role.WARN) if finding.attested_by else ("✓ pass", Role.GOOD)
    if finding.waived_by is not None:
        return "w waived", Role.WARN
    if finding.verdict is Verdict.UNKNOWN:
        return "? unknown", Role.UNKNOWN
    return ("! blocks", Role.BAD) if finding.blocks else ("i advice", Role.WARN)


def _brief(finding: Finding) -> Line:
    """A finding on one line: a pass, advice, or what somebody answered for."""
    word, role = _word(finding)
    answered = finding.waived_by or finding.attested_by or ""
    by = f"by {answered}" if answered not in finding.evidence else ""
    told = "; ".join(filter(None, (finding.evidence, by)))
    return labelled(word, finding.check, f": {shortened(told, LONGEST)}" if told else "", role=role)


def _told(finding: Finding) -> Iterator[Line]:
    """A finding that did not pass, with evidence, cause and fix."""
    word, role = _word(finding)
    yield labelled(word, Span(finding.check, Role.TITLE), Span(_remark(finding), Role.MUTED), role=role)
    if finding.evidence:
        yield labelled("", shortened(finding.evidence, LONGEST))
    if finding.waived_by is not None:
        yield labelled("by", finding.waived_by, indent=6)
    if finding.cause:
        yield labelled("cause", shortened(finding.cause, LONGEST), indent=6)
    if finding.fix:
        yield labelled("fix", Span(shortened(finding.fix, LONGEST)), indent=6)


def _remark(finding: Finding) -> str:
    """What the word leaves open: the kind of failure, whether an unknown blocks, and the place."""
    remarks = [finding.kind] if finding.kind else []
    if finding.verdict is Verdict.UNKNOWN and finding.waived_by is None:
        remarks.append("blocks until known" if finding.severity is Severity.BLOCKING else "does not block")
    remark = f" ({', '.join(remarks)})" if remarks else ""
    return f"{remark} · {finding.mark}" if finding.mark else remark


def _folded(findings: Sequence[Finding], *, was_read: bool) -> Line:
    why = "the exchange does not tell" if was_read else "the key was not read"
    told = f"{counted(len(findings), 'check')} could not be answered, because {why}"
    names = sorted({finding.check for finding in findings})
    which = f": {', '.join(names)}" if len(names) <= _FEW else " (-v tells which)"
    return labelled("? unknown", Span(told + which, Role.MUTED), role=Role.UNKNOWN)

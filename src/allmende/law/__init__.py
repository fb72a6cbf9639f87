"""The EU AI Act as data, and what follows from it for an application and for the models under it.

A law pack holds articles, conditions, dates and sources that a lawyer can correct without touching code. An
assessment answers yes, no, or undetermined with the question that decides. No database, no network.
"""

from allmende.law.answers import Answer, Gap
from allmende.law.application_reading import APPLICATION_SCHEMA, read_application
from allmende.law.assessing import assess
from allmende.law.assessment import Assessment, Branch, Cap, Dates, DateStatus, Line, OpenItem
from allmende.law.compared_document import AssessmentRead, read_assessment
from allmende.law.comparing import (
    COMPARISON_SCHEMA,
    Cause,
    Change,
    compare_assessments,
    comparison_document,
)
from allmende.law.document import ASSESSMENT_SCHEMA, assessment_document
from allmende.law.errors import (
    ImpossibleApplication,
    ImpossiblePack,
    LawOfAnotherDay,
    LawPackMissing,
    Problem,
    ProblemsFound,
    UnreadableAssessment,
)
from allmende.law.facts import Application, Evidence, Fact, ModelEntry
from allmende.law.flop import FlopEstimate, ImpossibleEstimate, architecture_flop, hardware_flop, two_figures
from allmende.law.markup import markdown_text, visible
from allmende.law.pack import Pack, Rule
from allmende.law.pack_reading import law_pack, law_pack_versions, read_pack
from allmende.law.report import assessment_markdown, assessment_report, comparison_report
from allmende.law.shapes import Shape
from allmende.law.strict_yaml import MAX_YAML_BYTES, Plain, YamlRefused, read_strict_yaml
from allmende.law.wording import LanguageNotOffered, Wording, languages, problem_sentence, wording_in

__all__ = [
    "APPLICATION_SCHEMA",
    "ASSESSMENT_SCHEMA",
    "COMPARISON_SCHEMA",
    "MAX_YAML_BYTES",
    "Answer",
    "Application",
    "Assessment",
    "AssessmentRead",
    "Branch",
    "Cap",
    "Cause",
    "Change",
    "DateStatus",
    "Dates",
    "Evidence",
    "Fact",
    "FlopEstimate",
    "Gap",
    "ImpossibleApplication",
    "ImpossibleEstimate",
    "ImpossiblePack",
    "LanguageNotOffered",
    "LawOfAnotherDay",
    "LawPackMissing",
    "Line",
    "ModelEntry",
    "OpenItem",
    "Pack",
    "Plain",
    "Problem",
    "ProblemsFound",
    "Rule",
    "Shape",
    "UnreadableAssessment",
    "Wording",
    "YamlRefused",
    "architecture_flop",
    "assess",
    "assessment_document",
    "assessment_markdown",
    "assessment_report",
    "compare_assessments",
    "comparison_document",
    "comparison_report",
    "hardware_flop",
    "languages",
    "law_pack",
    "law_pack_versions",
    "markdown_text",
    "problem_sentence",
    "read_application",
    "read_assessment",
    "read_pack",
    "read_strict_yaml",
    "two_figures",
    "visible",
    "wording_in",
]

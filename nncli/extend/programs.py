"""What export formats may use besides `nncli.extend`: nodes of programs, forms of cells, and parts of web pages.

Its names are as stable as those of `nncli.extend`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nncli.extend.lazy_imports import lazy_names

if TYPE_CHECKING:
    from nncli.base.text import free_name
    from nncli.base.web_page import as_literal, html_text, offline_document, safe_script, template
    from nncli.data import number_and_date_forms
    from nncli.data.columns.datetimes import date_text
    from nncli.data.encoders.text import WORD_PATTERN
    from nncli.data.formats.csv.csv_format import csv_header
    from nncli.data.number_and_date_forms import (
        FIRST_DAY,
        ISO,
        LAST_DAY,
        LAST_MOMENT,
        MICROSECONDS_PER_DAY,
        MINUS_BEHIND,
        NO_CENTS,
        ORDERS,
        PARENTHESES,
        PERCENT,
        TIME_FORMATS,
        YEAR_FIRST_OR_NAMED,
        orders_of,
        other_forms,
        separator_pattern,
        training_form,
    )
    from nncli.exporters.form import (
        classes_of,
        explanation,
        field,
        form_data,
        form_scripts,
        form_style,
        input_data,
        title_of,
    )
    from nncli.exporters.runtimes.onnxruntime import OnnxMetadata
    from nncli.nn.program import inputs, nodes, program
    from nncli.nn.program.inputs import MISSING_CODE, OTHER_CODE
    from nncli.nn.program.program import LabelType, OutputGroups, groups_of, run_nodes, targets_of

__all__ = [
    "FIRST_DAY",
    "ISO",
    "LAST_DAY",
    "LAST_MOMENT",
    "MICROSECONDS_PER_DAY",
    "MINUS_BEHIND",
    "MISSING_CODE",
    "NO_CENTS",
    "ORDERS",
    "OTHER_CODE",
    "PARENTHESES",
    "PERCENT",
    "TIME_FORMATS",
    "WORD_PATTERN",
    "YEAR_FIRST_OR_NAMED",
    "LabelType",
    "OnnxMetadata",
    "OutputGroups",
    "as_literal",
    "classes_of",
    "csv_header",
    "date_text",
    "explanation",
    "field",
    "form_data",
    "form_scripts",
    "form_style",
    "free_name",
    "groups_of",
    "html_text",
    "input_data",
    "inputs",
    "nodes",
    "number_and_date_forms",
    "offline_document",
    "orders_of",
    "other_forms",
    "program",
    "run_nodes",
    "safe_script",
    "separator_pattern",
    "targets_of",
    "template",
    "title_of",
    "training_form",
]

__getattr__, __dir__ = lazy_names(__name__)

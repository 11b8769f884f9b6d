//! Diagnostics for programs: one JSON object a line.
use super::{Diagnostic, Severity, Spot};
use serde::Serialize;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Line<'a> {
    event: &'static str,
    severity: Severity,
    code: &'a str,
    message: &'a str,
    #[serde(flatten)]
    stretch: Option<Stretch<'a>>,
    #[serde(skip_serializing_if = "str::is_empty")]
    label: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    others: Vec<Other<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Stretch<'a> {
    file: &'a str,
    line: usize,
    column: usize,
    end_line: usize,
    end_column: usize,
}

#[derive(Serialize)]
struct Other<'a> {
    #[serde(flatten)]
    stretch: Stretch<'a>,
    label: &'a str,
}

fn stretch(spot: &Spot) -> Stretch<'_> {
    let ((line, column), (end_line, end_column)) =
        (spot.file.position(spot.span.start), spot.file.position(spot.span.end));
    Stretch { file: spot.file.path(), line, column, end_line, end_column }
}

impl Diagnostic {
    /// As one JSON object without line breaks: `event` is `diagnostic`; `file`, `line`, `column`, `endLine`, `endColumn` say where.
    pub fn to_json(&self) -> serde_json::Value {
        let others = self.others.iter().map(|(spot, label)| Other { stretch: stretch(spot), label });
        let line = Line {
            event: "diagnostic",
            severity: self.severity,
            code: self.code,
            message: &self.message,
            stretch: self.spot.as_ref().map(stretch),
            label: &self.label,
            hint: self.hint.as_deref(),
            others: others.collect(),
        };
        serde_json::to_value(line).unwrap_or_default()
    }
}

/// The diagnostics, one JSON object a line.
pub fn json_lines(diagnostics: &[Diagnostic]) -> String {
    diagnostics.iter().map(|diagnostic| format!("{}\n", diagnostic.to_json())).collect()
}

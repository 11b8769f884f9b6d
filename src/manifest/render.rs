//! Diagnostics for people: the place, the line, a mark under what is wrong, and what to do.
use super::{Diagnostic, Severity, Spot};
use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet, renderer::DecorStyle};

/// The diagnostics as text, each followed by an empty line, with colour only if asked. `width` is that of the terminal, in characters.
pub fn render(diagnostics: &[Diagnostic], colour: bool, width: usize) -> String {
    let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
    let renderer = renderer.decor_style(DecorStyle::Ascii).term_width(width.max(60));
    let mut text = String::new();
    for diagnostic in diagnostics {
        text.push_str(&renderer.render(&report(diagnostic)));
        text.push_str("\n\n");
    }
    text
}

fn report(diagnostic: &Diagnostic) -> Vec<Group<'_>> {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let mut group = level.primary_title(diagnostic.message.as_str()).id(diagnostic.code);
    let title = group;
    let mut elements: Vec<Snippet<'_, annotate_snippets::Annotation<'_>>> = Vec::new();
    if let Some(spot) = &diagnostic.spot {
        let (mut same, mut elsewhere) = (Vec::new(), Vec::new());
        for (other, label) in &diagnostic.others {
            let file = std::sync::Arc::ptr_eq(&other.file, &spot.file);
            if file { same.push((other, label)) } else { elsewhere.push((other, label)) }
        }
        let mark = AnnotationKind::Primary.span(marked(spot)).label(label(&diagnostic.label));
        let others = same.into_iter().map(|(spot, text)| AnnotationKind::Context.span(marked(spot)).label(label(text)));
        elements.push(snippet(spot).annotation(mark).annotations(others));
        for (other, text) in elsewhere {
            elements.push(snippet(other).annotation(AnnotationKind::Context.span(marked(other)).label(label(text))));
        }
    }
    group = title;
    let mut group = group.elements(elements);
    if let Some(hint) = &diagnostic.hint {
        group = group.element(Level::HELP.message(hint.as_str()));
    }
    vec![group]
}

fn label(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

fn snippet(spot: &Spot) -> Snippet<'_, annotate_snippets::Annotation<'_>> {
    Snippet::source(spot.file.shown()).path(spot.file.path()).line_start(1).fold(true)
}

/// What is marked: never nothing, never more than the first line.
fn marked(spot: &Spot) -> std::ops::Range<usize> {
    let text = spot.file.text();
    let start = spot.span.start.min(text.len());
    let rest = &text[start..];
    let line = rest.find(['\n', '\r']).unwrap_or(rest.len());
    let length = spot.span.len().min(line);
    start..start + length
}

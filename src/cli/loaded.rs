//! Manifests as they were read, with everything that is wrong with them shown.
use super::{lines::Lines, screen::Screen};
use crate::{
    kinds::{Declarations, load},
    manifest::{Diagnostic, render},
    model::{Impossible, Plan},
    source::Tree,
};

/// Where diagnostics of people's manifests are read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Shown {
    /// They are what the command is for.
    AsResult,
    /// They are why the command does nothing else.
    AsReason,
}

/// What was found while reading.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Found {
    pub errors: usize,
    pub warnings: usize,
}

impl Found {
    fn of(diagnostics: &[Diagnostic]) -> Self {
        let errors = diagnostics.iter().filter(|diagnostic| diagnostic.is_error()).count();
        Self { errors, warnings: diagnostics.len() - errors }
    }

    pub fn and(self, other: Self) -> Self {
        Self { errors: self.errors + other.errors, warnings: self.warnings + other.warnings }
    }
}

/// Reads all manifests and shows what is wrong with them. With an error among it, the declarations must not be acted on.
pub(super) fn read(tree: &mut Tree, screen: &Screen, lines: &Lines<'_>, shown: Shown) -> (Declarations, Found) {
    let (declarations, diagnostics) = load(std::mem::take(&mut tree.manifests));
    (declarations, show(&diagnostics, screen, lines, shown))
}

/// What a plan found that manifests ask for and that can never be, at the lines that ask for it.
pub(super) fn impossible<C>(declarations: &Declarations, plan: &Plan<C>) -> Vec<Diagnostic> {
    let diagnostic = |Impossible { object, declared, wish }: &Impossible| {
        let spot = declared.as_ref().and_then(|declared| declarations.spot(declared, &wish.field));
        let whose = declared.as_ref().map_or_else(|| object.to_string(), ToString::to_string);
        let message = format!("{whose}: {}", wish.text);
        let found = match spot {
            Some(spot) => Diagnostic::error("impossible", spot, message).label("it is left as it is"),
            None => Diagnostic::general("impossible", message),
        };
        found.hint(wish.hint.clone())
    };
    plan.impossible.iter().map(diagnostic).collect()
}

/// Shows mistakes in manifests.
pub(super) fn show(diagnostics: &[Diagnostic], screen: &Screen, lines: &Lines<'_>, shown: Shown) -> Found {
    for diagnostic in diagnostics {
        lines.emit(|| diagnostic.to_json());
    }
    if !diagnostics.is_empty() && !lines.own_the_screen() {
        let text = render(diagnostics, true, screen.width());
        match shown {
            Shown::AsResult => screen.print(&text),
            Shown::AsReason => screen.warn(&format!("{}\n", text.trim_end())),
        }
    }
    Found::of(diagnostics)
}

/// `2 mistakes`, `1 mistake and 3 warnings`.
pub(super) fn count(found: Found) -> String {
    let of = |n: usize, word: &str| match n {
        0 => None,
        1 => Some(format!("1 {word}")),
        n => Some(format!("{n} {word}s")),
    };
    let parts: Vec<String> =
        [of(found.errors, "mistake"), of(found.warnings, "warning")].into_iter().flatten().collect();
    if parts.is_empty() { "no mistakes".into() } else { parts.join(" and ") }
}

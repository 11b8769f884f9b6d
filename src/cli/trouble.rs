//! Errors for people: what was attempted, on what, why it failed, what to do.
use crate::model::Failure;
use anstyle::{AnsiColor, Style};
use serde_json::{Value, json};

const BAD: Style = AnsiColor::Red.on_default().bold();

/// The message and, on a line of its own, the advice.
pub(super) fn text(error: &anyhow::Error) -> String {
    let (message, hint) = parts(error);
    let hint = hint.map(|hint| format!("\n  {hint}")).unwrap_or_default();
    format!("{BAD}error:{BAD:#} {message}{hint}")
}

/// The same for programs.
pub(super) fn event(error: &anyhow::Error) -> Value {
    let (message, hint) = parts(error);
    json!({ "event": "error", "message": message, "hint": hint })
}

fn parts(error: &anyhow::Error) -> (String, Option<String>) {
    match error.downcast_ref::<Failure>() {
        Some(failure) => {
            let mut failure = failure.clone();
            let hint = failure.hint.take();
            (failure.to_string(), hint)
        }
        None => (format!("{error:#}"), None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Class;

    #[test]
    fn the_advice_stands_on_its_own_line() {
        let failure = Failure::new(Class::Invalid, "read DIR", "it is empty").hint("write a manifest");
        let shown = anstream::adapter::strip_str(&text(&failure.into())).to_string();
        assert_eq!(shown, "error: could not read DIR: it is empty\n  write a manifest");
    }
}
